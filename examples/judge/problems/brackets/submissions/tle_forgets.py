text = input()
while len(text) % 2 == 0:
    text = text.replace('()', '()')
print('no')
