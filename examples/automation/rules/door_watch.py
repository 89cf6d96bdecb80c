# Tells of a door that stays open.
import host

opened = None

async def on_event(time, kind, value):
    global opened
    if kind == 'door':
        opened = time if value else None
    elif opened is not None:
        await host.notify(f'the door is open since {opened}')
        opened = None
