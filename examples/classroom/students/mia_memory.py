kept = []
while True:
    kept.append("x" * 10000)
