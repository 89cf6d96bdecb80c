class Vector:
    def __init__(self, x, y):
        self.x = x
        self.y = y

    def __add__(self, other):
        return Vector(self.x + other.x, self.y + other.y)

    def dot(self, other):
        return self.x * other.x + self.y * other.y


class Unit:
    def __init__(self, place):
        self.place = place
        self.steps = 0

    def step(self, by):
        self.place = self.place + by
        self.steps += 1
        return self.place.dot(by)


def walk(rounds):
    units = [Unit(Vector(start, -start)) for start in range(10)]
    by = Vector(1, 2)
    return sum(unit.step(by) for turn in range(rounds) for unit in units)


walk(150)
