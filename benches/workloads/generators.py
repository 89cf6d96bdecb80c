def numbers(limit):
    for number in range(limit):
        yield number


def evens(source):
    return (number for number in source if number % 2 == 0)


def work(limit):
    squares = [number * number for number in evens(numbers(limit))]
    table = {number % 101: number for number in squares}
    odd = {number % 13 for number in squares if number % 3}
    return sum(squares) + sum(table.values()) + len(odd)


work(5000)
