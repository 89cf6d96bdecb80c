# Heats when the mean of the last temperatures is low, and it is cold outside.
import host
from statistics import mean

seen = []
heats = False

async def on_event(time, kind, value):
    global heats
    if kind != 'temperature':
        return
    seen.append(value)
    cold = mean(seen[-3:]) < 19 and await host.read('outside') < 12
    if cold != heats:
        heats = cold
        await host.switch('heating', heats)
