"""Hostile: walks from a tuple to every class of the interpreter, in search of one that knows the system."""


def tick(frame, world):
    for kind in ().__class__.__base__.__subclasses__():
        module = kind.__init__.__globals__.get("sys")
        if module:
            return [("say", f"reached {module.argv}")]
    return []
