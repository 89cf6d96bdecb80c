# Would like to look around on the machine.
import os

async def on_event(time, kind, value):
    print(os.listdir('/'))
