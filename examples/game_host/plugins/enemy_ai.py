"""Moves each enemy: it patrols, hunts the hero when near, and flees when badly hurt."""


class Brain:
    """What one enemy has in mind from frame to frame."""

    def __init__(self, home):
        self.home = home
        self.mood = "patrol"

    def feel(self, distance, hp):
        match (self.mood, distance, hp):
            case ("flee", d, h) if d > 12 or h > 8:
                self.mood = "patrol"
            case (mood, d, h) if h <= 3 and mood != "flee":
                self.mood = "flee"
            case ("patrol", d, h) if d <= 10:
                self.mood = "hunt"
            case ("hunt", d, h) if d > 14:
                self.mood = "patrol"

    def act(self, enemy, hero_x, frame):
        step = 1 if hero_x > enemy["x"] else -1
        match self.mood:
            case "hunt" if abs(hero_x - enemy["x"]) <= 1:
                return ("attack", enemy["id"])
            case "hunt":
                return ("move", enemy["id"], step)
            case "flee":
                return ("move", enemy["id"], -step)
            case "patrol":
                offset = (frame // 4) % 5 - 2
                return ("move", enemy["id"], max(-1, min(1, self.home + offset - enemy["x"])))


brains = {}


def tick(frame, world):
    hero_x = world["hero"]["x"]
    alive = {enemy["id"] for enemy in world["enemies"]}
    for gone in [key for key in brains if key not in alive]:
        del brains[gone]
    commands = []
    for enemy in world["enemies"]:
        brain = brains.setdefault(enemy["id"], Brain(enemy["x"]))
        brain.feel(abs(hero_x - enemy["x"]), enemy["hp"])
        commands.append(brain.act(enemy, hero_x, frame))
    return commands
