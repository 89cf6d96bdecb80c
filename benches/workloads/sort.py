def shuffled(count):
    state = 12345
    numbers = []
    for index in range(count):
        state = (state * 1103515245 + 12345) % 2147483648
        numbers.append(state)
    return numbers


def check(numbers):
    up = sorted(numbers)
    by_key = sorted(numbers, key=lambda number: (number % 97, -number))
    return up[0] + up[-1] + by_key[len(by_key) // 2]


check(shuffled(1500))
