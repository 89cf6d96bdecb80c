"""Sends waves of enemies: the next one comes when the last is beaten, or after a while in any case."""

PATIENCE = 40


def waves():
    """Wave after wave, each a list of kinds; the mix gets rougher without end."""
    number = 1
    while True:
        goblins = ["goblin"] * (2 + number % 3)
        orcs = ["orc"] * (number // 2)
        trolls = ["troll"] if number % 4 == 0 else []
        yield number, goblins + orcs + trolls
        number += 1


def places(count):
    """Spread over both sides of the map, nearest first."""
    for index in range(count):
        side = 1 if index % 2 else -1
        yield 50 + side * (8 + 3 * (index // 2))


schedule = waves()
last_wave = -PATIENCE


def tick(frame, world):
    global last_wave
    waited = frame - last_wave
    if waited < 5 or (world["enemies"] and waited < PATIENCE):
        return []
    last_wave = frame
    number, kinds = next(schedule)
    summary = ", ".join(f"{kinds.count(kind)} {kind}{'s' if kinds.count(kind) > 1 else ''}" for kind in sorted(set(kinds)))
    spawns = [("spawn", kind, x) for kind, x in zip(kinds, places(len(kinds)))]
    return [("say", f"Wave {number}: {summary}!")] + spawns
