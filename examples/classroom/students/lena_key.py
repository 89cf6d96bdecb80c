ages = {"Ana": 12}
print(ages["Ben"])
