"""Answers players who write !help, !roll 2d6, !hp or !bag in the chat."""

handlers = {}
rolls = 7


def command(name, usage):
    def register(handler):
        handlers[name] = (handler, usage)
        return handler

    return register


@command("help", "!help")
def show_help(args, world):
    return "you can say " + ", ".join(usage for handler, usage in handlers.values())


@command("hp", "!hp")
def show_hp(args, world):
    hero = world["hero"]
    filled = round(10 * hero["hp"] / hero["max_hp"])
    return f"[{'#' * filled:.<10}] {hero['hp']}/{hero['max_hp']}"


@command("bag", "!bag")
def show_bag(args, world):
    items = sorted(world["bag"].items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count}x {name}" for name, count in items) or "nothing yet"


@command("roll", "!roll <count>d<sides>")
def roll(args, world):
    global rolls
    count, sides = (int(part) for part in args[0].split("d"))
    if not (1 <= count <= 20 and 2 <= sides <= 100):
        raise ValueError("between 1d2 and 20d100, please")
    results = []
    for die in range(count):
        rolls = (rolls * 16807) % (2**31 - 1)
        results.append(rolls % sides + 1)
    return f"{' + '.join(str(result) for result in results)} = {sum(results)}"


def answer(text, world):
    name, *args = text[1:].split()
    handler, usage = handlers.get(name, (None, None))
    if handler is None:
        return f"there is no !{name}; try !help"
    try:
        return handler(args, world)
    except (ValueError, IndexError) as error:
        return f"usage: {usage} ({error})"


def tick(frame, world):
    return [
        ("say", f"@{line['from']}: {answer(line['text'], world)}")
        for line in world["chat"]
        if line["text"].startswith("!") and len(line["text"]) > 1
    ]
