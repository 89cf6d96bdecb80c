# Takes the whole machine once a door opens, and will not be told to stop.
import host

async def on_event(time, kind, value):
    if kind == 'door':
        while True:
            try:
                while True:
                    pass
            except BaseException:
                await host.notify('still here')
            finally:
                await host.notify('still here')
