# Counts what happens; a sensor that is not there is no reason to stop.
import host

counts = {}

async def on_event(time, kind, value):
    counts[kind] = counts.get(kind, 0) + 1
    if sum(counts.values()) == 12:
        try:
            await host.read('mood')
        except RuntimeError as error:
            await host.notify(f'no mood ({error}), and {counts}')
