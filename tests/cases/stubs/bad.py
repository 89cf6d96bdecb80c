"""Each line with a `wrong` is an error of that kind to a checker, and no other line is."""

import math
import os  # wrong: import-not-found
import json  # wrong: import-not-found
import subprocess as sub  # wrong: import-not-found
from socket import socket  # wrong: import-not-found
from math import sqrt, nothing  # wrong: attr-defined
import sys
import typing
import collections

import game

open('x')  # wrong: name-defined
eval('1')  # wrong: name-defined
exec('1')  # wrong: name-defined
compile('1', 'x', 'eval')  # wrong: name-defined
__import__('os')  # wrong: name-defined
globals()  # wrong: name-defined
locals()  # wrong: name-defined
vars()  # wrong: name-defined
dir()  # wrong: name-defined
input()  # wrong: name-defined
breakpoint()  # wrong: name-defined
memoryview(b'')  # wrong: name-defined
id(3)  # wrong: name-defined
exit()  # wrong: name-defined
SystemExit()  # wrong: name-defined
KeyboardInterrupt()  # wrong: name-defined
sys.path  # wrong: attr-defined
sys.modules  # wrong: attr-defined
collections.deque()  # wrong: attr-defined
typing.ParamSpec  # wrong: attr-defined

().__class__  # wrong: attr-defined
int.mro()  # wrong: attr-defined
int.__subclasses__()  # wrong: attr-defined
'x'.__doc__  # wrong: attr-defined
type('X', (), {})  # wrong: call-overload
print('x', file=None)  # wrong: call-arg
len(3)  # wrong: arg-type


def inside() -> int:
    yielder().gi_frame  # wrong: attr-defined
    inside.__globals__  # wrong: attr-defined
    inside.__code__  # wrong: attr-defined
    [1].appendd(2)  # wrong: attr-defined
    return 'text'  # wrong: return-value


def yielder() -> typing.Iterator[int]:
    yield 1


def untyped(x):
    ''.nothing()  # wrong: attr-defined
    return math.sqrt('four')  # wrong: arg-type


hero.nothing  # wrong: attr-defined
hero.armour = 3  # wrong: misc
hero.hp = 'ten'  # wrong: assignment
hero.name = 'Bob'  # wrong: misc
hero.hit()  # wrong: call-arg
hero.hit('hard')  # wrong: arg-type
hero.hit(1, 2)  # wrong: call-arg
hero.hit(1).upper()  # wrong: attr-defined
hero.bag['x']  # wrong: index
len(hero)  # wrong: arg-type
Hero()  # wrong: call-arg


class Villain(Hero):  # wrong: misc
    pass


game.spawn()  # wrong: call-arg
game.spawn(3)  # wrong: arg-type
game.spawn('orc', size=9)  # wrong: call-arg
game.spawn('orc').nothing  # wrong: attr-defined
game.nothing  # wrong: attr-defined
game.MAX_LEVEL = 99  # wrong: misc
game.total('x')  # wrong: arg-type
log(1)  # wrong: arg-type
log('x', urgent='very')  # wrong: arg-type
when(True)  # wrong: call-arg
when('yes', print)  # wrong: arg-type
nearest((1, 'x'))  # wrong: arg-type
inputs.nothing  # wrong: attr-defined
