n = int(input())
for i in range(10 ** 6):
    print(i, end=" ")
