# One native call that would take for ever.
n = int(input())
print(sum(range(10 ** 12)) % n)
