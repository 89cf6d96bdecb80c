"""Rolls what a killed enemy drops, from weighted tables with rarities that come up at last."""

TABLES = {
    "goblin": [("copper coin", 60), ("rusty knife", 25), ("potion", 15)],
    "orc": [("silver coin", 50), ("iron axe", 30), ("potion", 20)],
    "troll": [("gold coin", 70), ("troll heart", 30)],
}
RARE = {"iron axe", "troll heart"}


class Dice:
    """A small generator of its own, so that a replay of the game drops the same things."""

    def __init__(self, seed):
        self.state = seed

    def below(self, limit):
        self.state = (self.state * 1103515245 + 12345) % 2**31
        return (self.state >> 8) % limit


dice = Dice(2024)
unlucky = 0


def pick(table):
    roll = dice.below(sum(weight for name, weight in table))
    for name, weight in table:
        if roll < weight:
            return name
        roll -= weight


def tick(frame, world):
    global unlucky
    commands = []
    for kind in (event["kind"] for event in world["events"] if event["type"] == "killed"):
        item = pick(TABLES[kind])
        if item not in RARE and unlucky >= 4:
            # Nobody goes home with knives alone.
            item = next((name for name, weight in TABLES[kind] if name in RARE), item)
        unlucky = 0 if item in RARE else unlucky + 1
        count = 1 + dice.below(3) if item.endswith("coin") else 1
        commands.append(("drop", item, count))
    return commands
