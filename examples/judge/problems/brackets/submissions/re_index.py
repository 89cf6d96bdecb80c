open_ones = []
for c in input():
    if c in '([{':
        open_ones.append(c)
    else:
        open_ones.pop()
print('no' if open_ones else 'yes'[9])
