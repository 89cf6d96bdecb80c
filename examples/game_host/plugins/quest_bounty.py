"""The village elder's bounty: a quest in stages, kept from tick to tick."""


class Stage:
    def __init__(self, title, goal, reward):
        self.title = title
        self.goal = goal
        self.reward = reward

    def progress(self, journal):
        """How far each part of the goal is, as pairs of have and need."""
        return {name: (journal.get(name, 0), need) for name, need in self.goal.items()}

    def is_done(self, journal):
        return all(have >= need for have, need in self.progress(journal).values())

    def __str__(self):
        return f"'{self.title}'"


class Quest:
    def __init__(self, stages):
        self.stages = stages
        self.journal = {}
        self.earned = 0

    def note(self, event):
        match event:
            case {"type": "killed", "kind": kind}:
                self.journal[kind] = self.journal.get(kind, 0) + 1
            case {"type": "dropped", "item": str(item), "count": count} if "coin" in item:
                self.journal["coins"] = self.journal.get("coins", 0) + count

    def advance(self):
        while self.stages and self.stages[0].is_done(self.journal):
            stage = self.stages.pop(0)
            self.earned += stage.reward
            yield ("reward", stage.reward, f"the bounty {stage}")
            if self.stages:
                goal = ", ".join(f"{need} {name}" for name, need in self.stages[0].goal.items())
                yield ("say", f"Elder: next is {self.stages[0]}: {goal}.")
            else:
                yield ("say", f"Elder: the village is safe. You earned {self.earned} gold, hero.")


quest = Quest([
    Stage("Pest control", {"goblin": 3}, 10),
    Stage("Fair pay", {"coins": 6}, 15),
    Stage("Stand your ground", {"goblin": 6, "orc": 2}, 40),
    Stage("Warlord", {"orc": 4, "troll": 1}, 100),
])


def tick(frame, world):
    for event in world["events"]:
        quest.note(event)
    return list(quest.advance())
