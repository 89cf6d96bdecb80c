# Light in the hall when somebody moves in the dark.
import host

async def on_event(time, kind, value):
    if kind == 'motion' and (time >= '22:00' or time < '07:30'):
        if await host.read('lux') < 20:
            await host.switch('hall lamp', True)
