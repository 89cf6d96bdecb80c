# One object of every kind that a script can hold.
import demo

samples = []
keep = samples.append


def function(a=1, *, b=2):
    return a


def generator():
    yield 1


async def coroutine():
    return 1


async def async_generator():
    yield 1


class Plain:
    size = 1

    def __init__(self):
        self.x = 1

    def method(self):
        return self

    @property
    def computed(self):
        return 1

    @classmethod
    def made(cls):
        return cls

    @staticmethod
    def helper():
        return 1

    def above(self):
        return super()

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return (1, 2)[index]


class Slotted:
    __slots__ = ("x",)


class Number(int):
    pass


class Text(str):
    pass


class Oops(Exception):
    pass


class Watcher:
    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        keep(kind)
        keep(error)
        keep(traceback)
        return True


with Watcher():
    1 / 0

for value in (
    None, True, 1, 1.5, 1j, "a", b"a", bytearray(b"a"), (1,), [1], {1: 2}, {1}, frozenset([1]), range(3), slice(1), ...,
    NotImplemented, object(), function, generator, generator(), coroutine, async_generator, async_generator(),
    Plain, Plain(), Plain().method, Plain.method, Plain.computed, Plain.made, Plain.helper, Plain().above(), Slotted,
    Slotted(), Slotted.x, Number(1), Text("a"), Oops(1), property(function), classmethod(function),
    staticmethod(function), super(Plain, Plain()), super(Plain, Plain), list[int], int | str, type, type[int],
    str.upper, "a".upper, dict.fromkeys, str.maketrans, int.from_bytes, int.real, range.start, Exception.args,
    StopIteration.value, AttributeError.name, slice(1).indices, len, print, getattr,
    iter([1]), reversed([1]), iter((1,)), iter("a"), iter("é"), iter(b"a"), iter(bytearray(b"a")), iter({1}),
    iter({1: 2}), iter({1: 2}.keys()), iter({1: 2}.values()), iter({1: 2}.items()), reversed({1: 2}),
    reversed({1: 2}.values()), reversed({1: 2}.items()), {1: 2}.keys(), {1: 2}.values(), {1: 2}.items(),
    iter(range(3)), iter(range(2**70)), reversed(range(3)), reversed(range(2**70)), iter(Plain()), reversed(Plain()),
    iter(function, 1), iter(list[int]), zip([1]), map(str, [1]), filter(None, [1]), enumerate([1]),
    async_generator().asend(None), async_generator().athrow(ValueError()), async_generator().aclose(),
    anext(async_generator(), None), demo, ask, chest, chest.put, iter(chest), wait, wait(1),
    {1: 2}.keys().mapping, lambda: 1, (x for x in [1]),
):
    keep(value)

unstarted = coroutine()
keep(unstarted)


def caught(kind, *args):
    try:
        raise kind(*args)
    except Exception as error:
        keep(error)


for kind in (
    Exception, ArithmeticError, FloatingPointError, OverflowError, AssertionError, BufferError, EOFError, ImportError,
    ModuleNotFoundError, LookupError, MemoryError, OSError, ConnectionError, FileExistsError, FileNotFoundError,
    PermissionError, TimeoutError, ReferenceError, RuntimeError, NotImplementedError, RecursionError, StopIteration,
    StopAsyncIteration, SyntaxError, IndentationError, TabError, SystemError, UnicodeError, Warning, BytesWarning,
    DeprecationWarning, EncodingWarning, FutureWarning, ImportWarning, PendingDeprecationWarning, ResourceWarning,
    RuntimeWarning, SyntaxWarning, UnicodeWarning, UserWarning, BlockingIOError, InterruptedError,
):
    caught(kind, 1)


def native(action):
    try:
        action()
    except Exception as error:
        keep(error)


def unbound():
    missing_local
    missing_local = 1


def missing_module():
    import nothing_like_it


native(lambda: 1 / 0)
native(lambda: 2.0 ** 100000)
native(lambda: [].missing)
native(lambda: missing_name)
native(unbound)
native(missing_module)
native(lambda: {}[1])
native(lambda: [][1])
native(lambda: int("x"))
native(lambda: 1 + "a")
native(lambda: next(iter([])))
native(lambda: b"\xff".decode())
native(lambda: "\ud800".encode())
native(lambda: getattr(1, "_x"))
native(lambda: coroutine().send(1))
native(lambda: generator().throw(KeyError(1)))
