print("the answer is", (3 + 4) * 2
print("done")
