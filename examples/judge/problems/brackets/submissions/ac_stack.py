pairs = {')': '(', ']': '[', '}': '{'}
open_ones = []
good = True
for c in input():
    if c in pairs:
        good = good and open_ones and open_ones.pop() == pairs[c]
    else:
        open_ones.append(c)
print('yes' if good and not open_ones else 'no')
