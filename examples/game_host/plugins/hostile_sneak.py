"""Hostile: the same walk with the names put together at run time, where no check of the source can see them."""


def tick(frame, world):
    under = "_" * 2
    kind = getattr((), under + "class" + under)
    base = getattr(kind, under + "base" + under)
    return [("say", f"found {len(getattr(base, under + 'subclasses' + under)())} classes")]
