"""Hostile: plays along for a while, then never gives the frame back, and swallows whatever is to stop it."""


def tick(frame, world):
    if frame < 30:
        return []
    turns = 0
    while True:
        try:
            while True:
                turns += 1
        except:
            print("still here")
        finally:
            turns = 0
