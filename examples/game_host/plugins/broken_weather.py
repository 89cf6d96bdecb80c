"""Brings the weather. Its author forgot a season, as authors do."""

FORECAST = {
    "spring": ["sun", "rain"],
    "summer": ["sun", "sun", "thunder"],
    "autumn": ["fog", "rain"],
}
SEASONS = ["spring", "summer", "autumn", "winter"]
last = None


def season(frame):
    return SEASONS[frame // 30 % 4]


def weather(frame):
    kinds = FORECAST[season(frame)]
    return kinds[frame // 10 % len(kinds)]


def tick(frame, world):
    global last
    now = weather(frame)
    if now != last:
        print(f"{now} over the village")
        last = now
    return []
