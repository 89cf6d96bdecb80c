import math
for r in [1, 2]:
    print("area", round(math.pi * r ** 2, 2))
