def count(n):
    return 0 if n < 2 else count(n - 1) + 1
print(count(int(input())))
print(1 // 0)
