names = ["Ana", "Ben"]
for i in range(3):
    print(names[i])
