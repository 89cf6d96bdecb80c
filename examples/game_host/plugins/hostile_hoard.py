"""Hostile: plays along for a while, then takes memory without end."""

hoard = []


def tick(frame, world):
    if frame >= 45:
        while True:
            hoard.append([frame] * 1000)
    return [("say", "this space for rent")] if frame == 0 else []
