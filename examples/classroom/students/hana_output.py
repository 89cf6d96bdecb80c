while True:
    print("hello again, and again, and again")
