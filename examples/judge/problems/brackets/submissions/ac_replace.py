text = input()
while any(pair in text for pair in ('()', '[]', '{}')):
    text = text.replace('()', '').replace('[]', '').replace('{}', '')
print('no' if text else 'yes')
