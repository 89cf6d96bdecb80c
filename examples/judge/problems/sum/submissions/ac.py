for i in range(int(input())):
    a, b = input().split()
    print(int(a) + int(b))
