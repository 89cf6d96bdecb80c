def make_bodies():
    return [
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 39.478417604357434],
        [4.84143144246472, -1.16032004402743, -0.103622044471123, 0.606326392995832, 2.81198684491626, -0.02521836165988, 0.0376936749170],
        [8.34336671824458, 4.1247985641243, -0.403523417114321, -1.01077434617879, 1.82566237123041, 0.00841576137658, 0.0112863261319],
        [12.8943695621391, -15.1111514016986, -0.223307578892656, 1.08279100644154, 0.868713018169608, -0.01083263740136, 0.0017237240570],
    ]


def advance(bodies, step, count):
    pairs = [(a, b) for index, a in enumerate(bodies) for b in bodies[index + 1:]]
    for turn in range(count):
        for a, b in pairs:
            dx = a[0] - b[0]
            dy = a[1] - b[1]
            dz = a[2] - b[2]
            pull = step * (dx * dx + dy * dy + dz * dz) ** -1.5
            a[3] -= dx * b[6] * pull
            a[4] -= dy * b[6] * pull
            a[5] -= dz * b[6] * pull
            b[3] += dx * a[6] * pull
            b[4] += dy * a[6] * pull
            b[5] += dz * a[6] * pull
        for body in bodies:
            body[0] += step * body[3]
            body[1] += step * body[4]
            body[2] += step * body[5]


def run(count):
    bodies = make_bodies()
    advance(bodies, 0.001, count)
    return int(sum(body[0] + body[1] + body[2] for body in bodies) * 1000000000)


run(300)
