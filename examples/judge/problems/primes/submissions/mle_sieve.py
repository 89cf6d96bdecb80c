n = int(input())
sieve = [True] * 1_500_000
print(sum(sieve[:n]))
