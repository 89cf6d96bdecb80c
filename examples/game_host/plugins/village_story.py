"""Tells of the village while the game goes on: a task that sleeps between its scenes."""


async def scene(text, frames):
    print(text)
    return await sleep(frames)


async def story():
    await scene("The sun rises over the village.", 20)
    woke = await scene("Smoke comes from the chimneys.", 25)
    print(f"At noon, in frame {woke}, the bard begins to count the leaves of the old oak.")
    # More than a frame gives: the game leaves it where it is, and goes on with it in the next one.
    green = 0
    for leaf in range(8_000):
        green += leaf % 7 != 0
    print(f"The bard has counted {green} green leaves.")


def tick(frame, world):
    return []
