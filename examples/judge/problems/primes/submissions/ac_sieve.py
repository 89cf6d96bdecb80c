n = int(input())
sieve = [True] * n
count = 0
for i in range(2, n):
    if sieve[i]:
        count += 1
        for j in range(i * i, n, i):
            sieve[j] = False
print(count)
