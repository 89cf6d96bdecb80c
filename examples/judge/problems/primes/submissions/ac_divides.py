import math
n = int(input())
print(sum(all(i % d for d in range(2, math.isqrt(i) + 1)) for i in range(2, n)))
