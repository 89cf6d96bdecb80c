# Adds by counting.
for i in range(int(input())):
    a, b = map(int, input().split())
    while b > 0:
        a, b = a + 1, b - 1
    while a > 10 ** 9:
        a -= 1
    while b < 0:
        a, b = a - 1, b + 1
    print(a)
