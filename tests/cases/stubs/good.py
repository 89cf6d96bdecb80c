"""A plugin that uses what it is given, as it is given: no checker has anything to say of it."""

import collections
import contextlib
import datetime
import enum
import functools
import itertools
import json
import math
import random
import re
import statistics
from dataclasses import dataclass, field
from typing import Any, Callable, Iterator, NamedTuple, Optional, TypedDict

import game
from game import spawn
from pathlib import Path

import loot


class Mood(enum.Enum):
    CALM = 1
    ANGRY = enum.auto()


class Rights(enum.IntFlag):
    READ = 1
    WRITE = 2


@dataclass(order=True)
class Wound:
    depth: int
    place: str = 'arm'
    notes: list[str] = field(default_factory=list)


Point = collections.namedtuple('Point', 'x y')


class Spot(NamedTuple):
    x: int
    y: int = 2


class Movie(TypedDict):
    title: str
    year: int


def on_hit(target: Hero, damage: int) -> int:
    taken = max(0, damage - target.armour)
    if target.hit(taken) and 'axe' in target.bag:
        target.hp += 1
    target.hp = max(target.hp, len(target.bag))
    for item in target.bag:
        log(item.upper())
    target.bag[0] = 'rope'
    del target.bag[1]
    return taken


def untyped(values):
    total = 0
    for place, value in enumerate(values):
        total += value * place
    return [*map(str, range(total))], {key: value for key, value in zip('ab', values)}


def moods() -> list[Mood]:
    return [mood for mood in Mood if mood is not Mood.CALM] + [Mood['ANGRY']]


@functools.lru_cache(maxsize=None)
def fib(n: int) -> int:
    return n if n < 2 else fib(n - 1) + fib(n - 2)


@contextlib.contextmanager
def noted(what: str) -> Iterator[str]:
    log('begin', what)
    try:
        yield what.title()
    finally:
        log('end', what, urgent=True)


def twice(f: Callable[[int], int]) -> Callable[[int], int]:
    @functools.wraps(f)
    def inner(x: int) -> int:
        return f(f(x))

    return inner


class Stack:
    def __init__(self) -> None:
        self.items: list[Any] = []

    def __len__(self) -> int:
        return len(self.items)

    @property
    def top(self) -> Optional[Any]:
        return self.items[-1] if self.items else None

    @classmethod
    def of(cls, *items: Any) -> 'Stack':
        made = cls()
        made.items.extend(items)
        return made

    @staticmethod
    def kind() -> str:
        return 'stack'


class Tall(Stack):
    def __init__(self) -> None:
        super().__init__()
        self.items.append(3)


async def story() -> str:
    name = await ask('Who are you?')
    gold: int = await game.price('axe')
    async for line in lines():
        log(line)
    return f'{name:>10} {gold!r}'


async def lines():
    yield 'once'
    yield 'upon a time'


def main() -> None:
    spawn('orc')
    spawn('orc', 3)
    spawn(kind='elf', count=2)
    print(game.MAX_LEVEL + 1, game.world.day, game.total(1, 2, 3), sep=', ')
    inputs['name'].upper()
    nearest((1, 2), [3, 4])
    when(True, lambda: None)

    assert math.isqrt(17) == 4 and math.hypot(3, 4) < math.inf
    mean: float = statistics.mean([1.0, 2.0])
    when_ = datetime.datetime.now() + datetime.timedelta(days=2)
    print(mean, when_.isoformat(), when_ - datetime.datetime(2000, 1, 1), when_.date().year)
    found = re.match(r'(\w+)', 'hello')
    if found:
        print(found.group(1), found.span())
    print(json.dumps({'a': [1, 2.5, None]}, indent=2), json.loads('[]'))
    print(random.choice(['a', 'b']), random.randint(1, 6), random.sample(range(10), 3))
    counts = collections.Counter('abracadabra')
    print(counts.most_common(2)[0][0].upper(), counts['a'] + 1)
    groups: dict[str, list[int]] = collections.defaultdict(list)
    groups['x'].append(1)
    queue = collections.deque([1, 2], maxlen=3)
    queue.appendleft(0)
    print(list(itertools.chain([1], [2])), [*itertools.accumulate([1, 2])], functools.reduce(max, [1, 3, 2]))
    print(sorted([Wound(3), Wound(1, 'leg')])[0].place, Wound(2).notes, Point(1, 2).x, Point(1, 2)[1])
    print(moods()[0].value, Rights.READ | Rights.WRITE, fib(10) + 1, twice(lambda x: x + 1)(3) + 1)
    print(Spot(1).y + Spot(1)._replace(x=2).x, Movie(title='a', year=1)['title'].upper())
    with noted('battle') as name:
        print(name.upper())
    print(len(Stack.of(1, 2)), Tall().top, Stack.kind(), '%d of %s' % (3, 'x'), round(2.5), 7 // 2, 2 ** 8)

    with open('saves/orc.txt', 'w') as file:
        file.write('hp = 9')
    with open('saves/orc.bin', 'rb') as raw:
        print(raw.read().hex())
    print(Path('saves').joinpath('orc.txt').read_text().split('='))
    print(loot.price('axe') + 1)

    try:
        print([1, 2, 3][::-1] + [4], {1} | {2}, (1, 'a')[1].upper(), divmod(7, 2), b'x' + b'y', 1j * 2)
    except (ValueError, KeyError) as error:
        print(error.args, type(error))
    match on_hit(hero, 3), {'a': 1}:
        case (int() as taken, {'a': one}):
            print(taken + one)
        case _:
            raise ValueError('no') from None
