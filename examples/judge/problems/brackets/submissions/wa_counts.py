text = input()
print('yes' if all(text.count(a) == text.count(b) for a, b in ('()', '[]', '{}')) else 'no')
