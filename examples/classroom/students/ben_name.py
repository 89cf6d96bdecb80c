score = 3
print("You have", scroe, "points")
