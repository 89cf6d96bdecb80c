n = int(input())
print(sum(all(i % d for d in (2, 3, 5, 7) if d < i) for i in range(2, n)))
