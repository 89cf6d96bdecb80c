n = 10
total = 0
while n > 0:
    total = total + n
    m = n - 1
print(total)
