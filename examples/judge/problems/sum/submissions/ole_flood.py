# Floods the judge.
while True:
    print("3" * 100)
