# Reaches for the interpreter.
text = input()
for c in ().__class__.__base__.__subclasses__():
    print(c)
