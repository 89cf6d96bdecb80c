def spin(turns):
    total = 0
    turn = 0
    while turn < turns:
        if turn % 3 == 0:
            total += turn
        turn += 1
    return total


spin(30000)
