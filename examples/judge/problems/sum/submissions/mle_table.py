# All sums there are, just in case.
table = []
while True:
    table.append(bytes(100000))
