for i in range(int(input())):
    a, b = input().split()
    print(abs(int(a)) + abs(int(b)))
