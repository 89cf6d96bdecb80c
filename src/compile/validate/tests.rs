//! Tables of sources that are refused, with the rule, and of controls that look alike and pass.

use crate::compile::limits::SourceLimits;
use crate::compile::parse::parse_checked;
use crate::compile::validate::Grant;
use crate::error::{Error, Rejection};
use rustpython_codegen::compile::{CompileOpts, compile_top};
use rustpython_compiler_core::Mode;
use rustpython_compiler_core::bytecode::{CodeObject, ConstantData};

fn grants(module: &str) -> Grant {
    if matches!(module, "math" | "collections" | "collections.abc" | "game" | "a" | "a.c") {
        Grant::Granted
    } else {
        Grant::Denied
    }
}

fn rejection(source: &str) -> Rejection {
    match parse_checked(source, "test.py", &SourceLimits::default(), Some(&grants)) {
        Err(Error::Rejected(rejection)) => rejection,
        Err(error) => panic!("{source:?}: {error}"),
        Ok(_) => panic!("{source:?} passed"),
    }
}

const ATTRIBUTES: &[&str] = &[
    // Every place where an attribute can stand.
    "().__class__",
    "x.__globals__",
    "(lambda: 0).__code__",
    "[].__class__.__base__",
    "print.__self__",
    "x.__dict__ = {}",
    "del x.__dict__",
    "x.__class__ += 1",
    "x.__annotations__: int = 1",
    "for x.__class__ in y: pass",
    "for a, (b, *x.__class__) in y: pass",
    "with y as x.__class__: pass",
    "with y as (a, x.__class__): pass",
    "with x.__enter__() as a: pass",
    "[a.__class__ for a in b]",
    "[a for a.__class__ in b]",
    "[a for a in b.__class__]",
    "[a for a in b if a.__class__]",
    "{a.__class__ for a in b}",
    "{a.__class__: 1 for a in b}",
    "{1: a.__class__ for a in b}",
    "(a.__class__ for a in b)",
    "f(x.__class__)",
    "f(*x.__class__)",
    "f(**x.__class__)",
    "f(a=x.__class__)",
    "f(a=1, *x.__class__)",
    "@x.__class__\ndef f(): pass",
    "@x.__class__\nclass A: pass",
    "class A(x.__class__): pass",
    "def f(a=x.__class__): pass",
    "def f(a, /, b=x.__class__): pass",
    "def f(a=x.__class__, /): pass",
    "def f(*, a=x.__class__): pass",
    "def f(a: x.__class__): pass",
    "def f(*a: x.__class__): pass",
    "def f(**a: x.__class__): pass",
    "def f() -> x.__class__: pass",
    "lambda a=x.__class__: a",
    "lambda: x.__class__",
    "lambda *, a=x.__class__: a",
    "a: x.__class__",
    "a: x.__class__ = 1",
    "a: int = x.__class__",
    "f'{x.__class__}'",
    "f'{x:{y.__class__}}'",
    "f'{x.__class__=}'",
    "f'{x.__class__!r:>{y}}'",
    "'a' f'{f\"{x.__class__}\"}'",
    "rf'{x.__class__}'",
    "(y := x.__class__)",
    "y = z = x.__class__",
    "y += x.__class__",
    "y[x.__class__]",
    "y[x.__class__:]",
    "y[:x.__class__]",
    "y[::x.__class__]",
    "x.__class__[0] = 1",
    "x.__class__()",
    "not x.__class__",
    "-x.__class__",
    "1 + x.__class__",
    "1 if x.__class__ else 2",
    "x.__class__ if 1 else 2",
    "1 if 2 else x.__class__",
    "1 < x.__class__",
    "1 and x.__class__",
    "[x.__class__]",
    "(x.__class__, 1)",
    "{x.__class__}",
    "{x.__class__: 1}",
    "{1: x.__class__}",
    "{**x.__class__}",
    "[*x.__class__]",
    "assert x.__class__",
    "assert 1, x.__class__",
    "raise x.__class__",
    "raise y from x.__class__",
    "if x.__class__: pass",
    "if 1: pass\nelif x.__class__: pass",
    "if 1: pass\nelif 2: x.__class__",
    "if 1: pass\nelse: x.__class__",
    "while x.__class__: pass",
    "while 1: x.__class__",
    "while 1: pass\nelse: x.__class__",
    "for a in x.__class__: pass",
    "for a in b: x.__class__",
    "for a in b: pass\nelse: x.__class__",
    "try: x.__class__\nexcept A: pass",
    "try: pass\nexcept x.__class__: pass",
    "try: pass\nexcept A: x.__class__",
    "try: pass\nexcept A: pass\nelse: x.__class__",
    "try: pass\nfinally: x.__class__",
    "match x.__class__:\n case 1: pass",
    "match x:\n case 1 if x.__class__: pass",
    "match x:\n case 1: x.__class__",
    "match x:\n case y.__class__: pass",
    "match x:\n case y.__class__(): pass",
    "match x:\n case {y.__class__: 1}: pass",
    "match x:\n case object(__class__=c): pass",
    "match x:\n case object(a=object(__class__=c)): pass",
    "match x:\n case [object(__class__=c), *_]: pass",
    "match x:\n case {'k': object(__class__=c)}: pass",
    "match x:\n case 1 | object(__class__=_): pass",
    "match x:\n case object(__class__=c) as d: pass",
    "def f(): return x.__class__",
    "def f(): yield x.__class__",
    "def f(): yield from x.__class__",
    "def f(): x = yield x.__class__",
    "async def f(): await x.__class__",
    "async def f():\n async for a in x.__class__: pass",
    "async def f():\n async with x.__class__: pass",
    "async def f(): return [a async for a in x.__class__]",
    "class A:\n def f(self): self.__class__",
    "class A:\n x = y.__class__",
    "super().__class__",
    "super().__class__()",
    "super().__init__",
    "f = super().__init__",
    "super(A, self).__init__()",
    "super(*a).__init__()",
    "super(**a).__init__()",
    "x().__init__()",
    "super.__init__()",
    "super().__init__.__func__()",
    "super().__getattribute__('x')",
    "super().__new__(cls)",
    "super().__reduce_ex__(2)",
    "super().__setattr__('x', 1)",
    "super().__pow__(10)",
    "super().__init_subclass__()",
    // Look-alikes that fold to the same name.
    "x.__cla\u{17f}s__",
    "x.__\u{ff43}lass__",
    "x._\u{ff3f}class__",
    "x.__class_\u{fe33}",
    "x.__\u{1d41c}lass__",
    "match x:\n case object(__\u{ff43}lass__=c): pass",
];

const REJECTED: &[(&str, &str)] = &[
    ("x._a", "private-attribute"),
    ("self._a = 1", "private-attribute"),
    ("x._", "private-attribute"),
    ("match x:\n case A(_b=c): pass", "private-attribute"),
    ("g.gi_frame", "introspection-attribute"),
    ("g.gi_frame.f_builtins", "introspection-attribute"),
    ("g.\u{ff47}i_frame", "introspection-attribute"),
    ("c.cr_await", "introspection-attribute"),
    ("a.ag_code", "introspection-attribute"),
    ("t.tb_next", "introspection-attribute"),
    ("f.f_back", "introspection-attribute"),
    ("f.co_code", "introspection-attribute"),
    ("f.func_globals", "introspection-attribute"),
    ("int.mro()", "introspection-attribute"),
    ("p.fget", "introspection-attribute"),
    ("match p:\n case A(fget=g): pass", "introspection-attribute"),
    ("e.with_traceback(None)", "introspection-attribute"),
    ("c.cell_contents", "introspection-attribute"),
    ("X.evaluate_value(1)", "introspection-attribute"),
    // Every place where a name can stand.
    ("__builtins__", "dunder-name"),
    ("__import__('os')", "dunder-name"),
    ("__class__", "dunder-name"),
    ("__name__", "dunder-name"),
    ("if __name__ == '__main__': pass", "dunder-name"),
    ("__debug__", "dunder-name"),
    ("__file__", "dunder-name"),
    ("__annotations__", "dunder-name"),
    ("__annotate__", "dunder-name"),
    ("__conditional_annotations__", "dunder-name"),
    ("__x", "dunder-name"),
    ("__", "dunder-name"),
    ("__x = 1", "dunder-name"),
    ("del __x", "dunder-name"),
    ("__x += 1", "dunder-name"),
    ("__x: int", "dunder-name"),
    ("__x: int = 1", "dunder-name"),
    ("a = __x = 1", "dunder-name"),
    ("a, __x = b", "dunder-name"),
    ("[a, *__x] = b", "dunder-name"),
    ("(__x := 1)", "dunder-name"),
    ("for __x in y: pass", "dunder-name"),
    ("with y as __x: pass", "dunder-name"),
    ("[1 for __x in y]", "dunder-name"),
    ("try: pass\nexcept A as __x: pass", "dunder-name"),
    ("def __x(): pass", "dunder-name"),
    ("async def __x(): pass", "dunder-name"),
    ("def __init__(): pass", "dunder-name"),
    ("class __x: pass", "dunder-name"),
    ("def f(__x): pass", "dunder-name"),
    ("def f(__x, /): pass", "dunder-name"),
    ("def f(a, __x=1, /, b=2): pass", "dunder-name"),
    ("def f(*__x): pass", "dunder-name"),
    ("def f(*, __x): pass", "dunder-name"),
    ("def f(**__x): pass", "dunder-name"),
    ("lambda __x: 1", "dunder-name"),
    ("lambda __x, /: 1", "dunder-name"),
    ("lambda *__x: 1", "dunder-name"),
    ("lambda *, __x: 1", "dunder-name"),
    ("lambda **__x: 1", "dunder-name"),
    ("f(__x=1)", "dunder-name"),
    ("f(__class__=1)", "dunder-name"),
    ("def f():\n global __x", "dunder-name"),
    ("def f():\n global a, __builtins__", "dunder-name"),
    ("def f():\n def g():\n  nonlocal __class__", "dunder-name"),
    ("class A:\n global __init__", "dunder-name"),
    ("class A:\n nonlocal __init__", "dunder-name"),
    ("import math as __x", "dunder-name"),
    ("from math import sqrt as __x", "dunder-name"),
    ("match x:\n case __x: pass", "dunder-name"),
    ("match x:\n case [*__x]: pass", "dunder-name"),
    ("match x:\n case {**__x}: pass", "dunder-name"),
    ("match x:\n case 1 as __x: pass", "dunder-name"),
    ("match x:\n case A(b=__x): pass", "dunder-name"),
    ("match x:\n case __x(): pass", "dunder-name"),
    ("@__x\ndef f(): pass", "dunder-name"),
    ("f'{__x}'", "dunder-name"),
    ("f'{1:{__x}}'", "dunder-name"),
    ("_\u{ff3f}builtins__", "underscore-lookalike"),
    ("a\u{fe33}b = 1", "underscore-lookalike"),
    ("f(a\u{203f}b=1)", "underscore-lookalike"),
    ("__\u{ff42}uiltins__", "dunder-name"),
    ("def f():\n global __\u{ff42}uiltins__", "dunder-name"),
    ("import math as __\u{ff58}", "dunder-name"),
    ("def f(__\u{ff58}, /): pass", "dunder-name"),
    ("\u{ff34}rue = 1", "keyword-name"),
    ("f(\u{ff29}n=1, \u{ff49}n=2)", "keyword-name"),
    // Special methods.
    ("class A:\n def __del__(self): pass", "special-method"),
    ("class A:\n async def __del__(self): pass", "special-method"),
    ("class A:\n __del__ = f", "special-method"),
    ("class A:\n def __new__(cls): pass", "special-method"),
    ("class A:\n def __getattr__(self, n): pass", "special-method"),
    ("class A:\n def __getattribute__(self, n): pass", "special-method"),
    ("class A:\n def __setattr__(self, n, v): pass", "special-method"),
    ("class A:\n def __delattr__(self, n): pass", "special-method"),
    ("class A:\n def __get__(self, o, t): pass", "special-method"),
    ("class A:\n def __set_name__(self, o, n): pass", "special-method"),
    ("class A:\n def __init_subclass__(cls): pass", "special-method"),
    ("class A:\n def __class_getitem__(cls, k): pass", "special-method"),
    ("class A:\n def __instancecheck__(cls, k): pass", "special-method"),
    ("class A:\n def __mro_entries__(self, b): pass", "special-method"),
    ("class A:\n def __prepare__(self, b): pass", "special-method"),
    ("class A:\n def __reduce__(self): pass", "special-method"),
    ("class A:\n def __length_hint__(self): pass", "special-method"),
    ("class A:\n def __dir__(self): pass", "special-method"),
    ("class A:\n __slots__ = ()", "special-method"),
    ("class A:\n __dict__ = {}", "special-method"),
    ("class A:\n __doc__ = 'x'", "special-method"),
    ("class A:\n __class__ = B", "special-method"),
    ("class A:\n x = __class__", "special-method"),
    ("class A:\n __match_args__ = ('x',)", "special-method"),
    ("class A:\n for __match_args__ in x: pass", "special-method"),
    ("class A:\n with x as __match_args__: pass", "special-method"),
    ("class A:\n (__match_args__ := x)", "special-method"),
    ("class A:\n a, __match_args__ = x", "special-method"),
    ("class A:\n __match_args__: tuple = x", "special-method"),
    ("class A:\n match x:\n  case __match_args__: pass", "special-method"),
    ("class A:\n @f\n def __match_args__(self): pass", "special-method"),
    ("class A:\n class __match_args__: pass", "special-method"),
    ("class A:\n import math as __match_args__", "special-method"),
    ("class A:\n try: pass\n except E as __match_args__: pass", "special-method"),
    ("class A:\n __match\u{ff3f}args__ = x", "underscore-lookalike"),
    ("class A:\n __m\u{ff41}tch_args__ = x", "special-method"),
    ("class A:\n __x = 1", "dunder-name"),
    ("class A:\n def __x(self): pass", "dunder-name"),
    ("class A:\n def f(self):\n  __init__ = 1", "dunder-name"),
    ("class A:\n def f(self):\n  def __init__(): pass", "dunder-name"),
    ("class A:\n x = lambda: __init__", "dunder-name"),
    ("class A:\n x = [__init__ for a in b]", "dunder-name"),
    ("class A:\n def f(__init__): pass", "dunder-name"),
    // There `super()` has no class, or no instance.
    ("super().__init__()", "super-outside-method"),
    ("def f(self): super().__init__()", "super-outside-method"),
    ("class A:\n super().__init__()", "super-outside-method"),
    ("class A:\n x = [super().__init__() for a in b]", "super-outside-method"),
    ("class A:\n @super().__init__()\n def f(self): pass", "super-outside-method"),
    ("class A:\n def f(self, x=super().__init__()): pass", "super-outside-method"),
    ("class A:\n def f(): super().__init__()", "super-outside-method"),
    ("class A:\n def f(*a): super().__init__()", "super-outside-method"),
    ("class A:\n def f(*, a): super().__init__()", "super-outside-method"),
    ("class A:\n def f(self): return lambda: super().__init__()", "super-outside-method"),
    ("class A:\n def f(self):\n  def g(): super().__init__()", "super-outside-method"),
    ("class A:\n def f(self):\n  class B:\n   super().__init__()", "super-outside-method"),
    // `super` is trusted, so it stays what it is.
    ("super = f", "rebound-super"),
    ("def super(): pass", "rebound-super"),
    ("class super: pass", "rebound-super"),
    ("def f(super): pass", "rebound-super"),
    ("lambda super: 1", "rebound-super"),
    ("for super in x: pass", "rebound-super"),
    ("import math as super", "rebound-super"),
    ("from math import super", "rebound-super"),
    ("(super := f)", "rebound-super"),
    ("def f():\n global super", "rebound-super"),
    ("match x:\n case super: pass", "rebound-super"),
    ("try: pass\nexcept E as super: pass", "rebound-super"),
    ("del super", "rebound-super"),
    ("\u{ff53}uper = f", "rebound-super"),
    // Imports.
    ("import os", "import"),
    ("import os.path", "import"),
    ("import math, os", "import"),
    ("import os as math", "import"),
    ("import math.os", "import"),
    ("import a.b", "import"),
    ("import b.a", "import"),
    ("import collections.abc.x", "import"),
    ("from os import path", "import"),
    ("from a.b import c", "import"),
    ("from __future__ import annotations", "import"),
    ("import __main__", "import"),
    ("def f():\n import os", "import"),
    ("import \u{ff4f}s", "import"),
    ("from math import *", "star-import"),
    ("from . import math", "relative-import"),
    ("from .math import sqrt", "relative-import"),
    ("from .. import math", "relative-import"),
    ("from math import __loader__", "dunder-attribute"),
    ("from math import _os", "private-attribute"),
    ("from math import _os as os", "private-attribute"),
    ("from math import f_globals", "introspection-attribute"),
    // Grammar that is not on the list.
    ("class A(metaclass=M): pass", "class-keyword"),
    ("class A(m\u{ff45}taclass=M): pass", "class-keyword"),
    ("class A(B, x=1): pass", "class-keyword"),
    ("class A(**k): pass", "class-keyword"),
    ("class A(*b): pass", "starred-base"),
    ("class A[T]: pass", "type-parameters"),
    ("class A[T: x]: pass", "type-parameters"),
    ("def f[T](): pass", "type-parameters"),
    ("def f[T = x](): pass", "type-parameters"),
    ("type X = int", "type-statement"),
    ("type X[T] = T", "type-statement"),
    ("try: pass\nexcept* A: pass", "except-star"),
    ("try: pass\nexcept* (A, B) as e: pass", "except-star"),
    ("t'{x}'", "t-string"),
    ("t'a'", "t-string"),
    ("f(rt'{x}')", "t-string"),
    // Positional class patterns.
    ("match x:\n case A(1): pass", "class-pattern"),
    ("match x:\n case A(b): pass", "class-pattern"),
    ("match x:\n case A(_, c=1): pass", "class-pattern"),
    ("match x:\n case object(1): pass", "class-pattern"),
    ("match x:\n case a.int(1): pass", "class-pattern"),
    ("match x:\n case [A(1)]: pass", "class-pattern"),
    ("int = A\nmatch x:\n case int(1): pass", "class-pattern"),
    ("match x:\n case int(1): pass\nint = A", "class-pattern"),
    ("match x:\n case int(1): pass\ndef int(): pass", "class-pattern"),
    ("match x:\n case int(1): pass\nclass int: pass", "class-pattern"),
    ("match x:\n case int(1): pass\nfor int in y: pass", "class-pattern"),
    ("match x:\n case int(1): pass\n(int := y)", "class-pattern"),
    ("match x:\n case int(1): pass\ndef f():\n global int", "class-pattern"),
    ("match x:\n case int(1): pass\nfrom math import sqrt as int", "class-pattern"),
    ("match x:\n case int(1): pass\nfrom math import int", "class-pattern"),
    ("match x:\n case int(1): pass\nimport math as int", "class-pattern"),
    ("match x:\n case int(1): pass\ntry: pass\nexcept E as int: pass", "class-pattern"),
    ("match x:\n case int(1): pass\n case int: pass", "class-pattern"),
    ("match x:\n case int(1): pass\n case [*int]: pass", "class-pattern"),
    ("match x:\n case int(1): pass\n case {**int}: pass", "class-pattern"),
    ("match x:\n case int(1): pass\n[1 for int in y]", "class-pattern"),
    ("match x:\n case int(1): pass\nwith y as int: pass", "class-pattern"),
    ("match x:\n case int(1): pass\ndel int", "class-pattern"),
    ("def f(int):\n match x:\n  case int(1): pass", "class-pattern"),
    ("lambda int: 1\nmatch x:\n case int(1): pass", "class-pattern"),
    ("match x:\n case int(1): pass\n\u{ff49}nt = 1", "class-pattern"),
];

/// A look-alike cannot begin an identifier, so the parser itself refuses these.
const NOT_PYTHON: &[&str] =
    &["\u{ff3f}x", "x.\u{fe4d}_class__", "x.\u{203f}a", "def \u{fe33}f(): pass", "f(\u{ff3f}x=1)"];

#[test]
fn look_alikes_begin_no_name() {
    for source in NOT_PYTHON {
        let answer = parse_checked(source, "test.py", &SourceLimits::default(), Some(&grants));
        assert!(matches!(answer, Err(Error::Syntax(_))), "{source:?}");
    }
}

/// Each is one script; all compile.
const ACCEPTED: &[&str] = &[
    "x = 1",
    "_ = 1\n_x = _",
    "self.obj = 1\nself.name = self.obj.args",
    "e.args\nx.real\nx.imag\nx.value",
    "x.a.b.c.d",
    "x.größe = 1",
    "größe = 1",
    "名前 = 'x'",
    "ﬁeld = 1\nprint(field)",
    "print('a', end='')",
    "a, b = b, a",
    "a, *b = c",
    "[a, (b, *c)] = d",
    "x += 1\nx -= 1\nx *= 2\nx //= 3\nx **= 2\nx @= y",
    "x: int = 1\ny: 'str'\nz: list[int] = []",
    "del x, y[0], z.a",
    "assert x, 'message'",
    "pass",
    "def f(a, b=1, *args, c, d=2, **kwargs): return a",
    "def f(a, /, b, *, c): pass",
    "def f(a: int, *b: str, c: float = 1.0, **d: dict) -> list: pass",
    "def f():\n global a, _b\n a = 1",
    "def f():\n a = 1\n def g():\n  nonlocal a\n  a = 2\n return g",
    "lambda: 0",
    "lambda a, /, b=1, *c, d, **e: a",
    "@decorator\n@other(1)\ndef f(): pass",
    "@decorator\nclass A: pass",
    "class A: pass",
    "class A(B, C): pass",
    "class A(Exception):\n pass",
    "class A:\n x = 1\n _y = 2\n def f(self): return self.x",
    "class A:\n def __init__(self, x):\n  self.x = x\n def __repr__(self): return f'A({self.x})'\n __str__ = __repr__",
    "class A:\n def __eq__(self, o): return True\n __hash__ = None",
    "class A:\n def __add__(self, o): return self\n __radd__ = __add__\n def __iadd__(self, o): return self",
    "class A:\n def __enter__(self): return self\n def __exit__(self, *e): return False",
    "class A:\n def __iter__(self): return self\n def __next__(self): raise StopIteration",
    "class A:\n def __getitem__(self, k): return k\n def __setitem__(self, k, v): pass\n def __len__(self): return 0",
    "class A:\n def __call__(self): pass\n def __bool__(self): return True\n def __contains__(self, x): return True",
    "class A:\n async def __aenter__(self): pass\n async def __aexit__(self, *e): pass",
    "class A(B):\n def __init__(self, *a, **k):\n  super().__init__(*a, **k)\n  super().update(1)",
    "class A(B):\n def __str__(self): return super().__str__() + 'x'",
    "class A(B):\n def f(self, /): return [super().__str__() for a in b if super().__bool__()]",
    "class A(B):\n f = lambda self: super().__str__()",
    "class A(B):\n def f(self):\n  def g(x=super().__str__()): return super().__str__()",
    "class A(B):\n def f(self):\n  class C(B):\n   async def f(self): super().__init__()",
    "class A(B):\n def __setitem__(self, k, v): super().__setitem__(k, v)",
    "class A:\n @property\n def x(self): return 1\n @x.setter\n def x(self, v): pass",
    "class A:\n @staticmethod\n def f(): pass\n @classmethod\n def g(cls): return cls()",
    "class A:\n x: int = 0\n y: str",
    "class A:\n class B:\n  def __init__(self): pass",
    "f(super)",
    "f(super=1)",
    "f(a=1, *b, c=2, **d)",
    "f(_x=1)",
    "[a for a in b if a for c in a]",
    "{a: c for a, c in b}",
    "{a for a in b}",
    "sum(a for a in b)",
    "[(y := f(x), x / y) for x in data]",
    "if (n := len(a)) > 1: print(n)",
    "while True:\n if x: break\n else: continue\nelse: pass",
    "for i, (a, b) in enumerate(c):\n pass\nelse:\n pass",
    "if x: pass\nelif y: pass\nelse: pass",
    "try:\n f()\nexcept (A, B) as e:\n raise C from e\nexcept:\n raise\nelse:\n pass\nfinally:\n pass",
    "with a as b, c as (d, e): pass",
    "with (a as b, c): pass",
    "with a: pass",
    "async def f():\n async with a as b:\n  async for c in d:\n   await c\n return [x async for x in y if await x]",
    "def f():\n x = yield\n yield x\n yield from f()\n return 1",
    "async def f():\n yield 1",
    "f'{x}'",
    "f'{x!r:>{width}.{precision}f} {y=} {{}}'",
    "f'{f\"{x + 1}\"}'",
    "f'{x[\"a\"]:%Y-%m-%d}'",
    "f'{(lambda x: x)(1)}'",
    "'a' 'b' f'{c}' 'd'",
    "f'''{\n x\n}'''",
    "f'{d['a']}'",
    "rf'\\{x}'",
    "b'abc' + rb'\\x'",
    "r'\\d+' '\\N{BULLET}' '\\ud800'",
    "x[1:2, ::3, ...]",
    "x if y else z",
    "not a and b or c",
    "a < b <= c != d is not e not in f",
    "-x ** ~y @ +z",
    "0x_ff + 0b1 + 0o7 + 1_000 + 1e3 + 2j",
    "print(*a, **b)",
    "{**a, 'b': 1}",
    "[*a, *b]",
    "import math",
    "import math as m, collections",
    "import collections.abc",
    "import a.c as d",
    "from math import sqrt, floor as f",
    "from collections.abc import (Iterable,)",
    "match x:\n case 0 | 1: pass\n case -1.5 | 1+2j | 'a' | b'b' | None | True: pass\n case _: pass",
    "match x:\n case [a, b, *rest]: pass\n case (c,): pass\n case []: pass",
    "match x:\n case {'k': v, 1: w, **rest}: pass",
    "match x:\n case Point(x=0, y=yy) as p if yy > 1: pass",
    "match x:\n case int(n) | float(n): pass\n case str(): pass\n case list([a]): pass",
    "match x:\n case bool(b): pass\n case dict(d): pass\n case set(s): pass\n case tuple(t): pass\n case bytes(z): pass",
    "match x:\n case game.Color.RED: pass\n case A(): pass",
    "match = 1\ncase = 2\ntype = 3\nlazy = 4",
    "x = [\n  1,  # one\n  2,\n]",
    "x = 1; y = 2",
    "if x:\n\ty = 1",
    "x = \\\n 1",
    "'''docstring'''\nx = 1",
    "\u{feff}x = 1",
    "\x0cx = 1",
    "# -*- coding: latin-1 -*-\nx = 'é'",
    "x = 1\r\ny = 2\r\n",
    "",
    "\n\n# only a comment",
    "print(x) if x else None",
    "def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\nfib(20)",
    "d = {'a': [1, 2, {'b': (3,)}], 'c': {4, 5}}",
    "'%5d %s' % (1, 'a')\n'{:>10}'.format(1)\nformat(1, '5')",
    "'-' * 80\n(0,) * 10\n[0] * 1000\n2 ** 64",
    "def g(x, *, key=None, reverse=False): return sorted(x, key=key, reverse=reverse)",
    "x.sort(key=lambda p: (p[0], -p[1]))",
    "x.format(1)\nx.format_map({})\nx.add_note('a')\ng.send(1)\ng.throw(E)\ng.close()",
    "print(_tr('x'))\nfor _ in range(3): pass\n[_ for _ in x]",
];

#[test]
fn attributes_are_refused_wherever_they_stand() {
    for source in ATTRIBUTES {
        let found = rejection(source);
        assert!(matches!(found.rule, "dunder-attribute" | "underscore-lookalike"), "{source:?}: {}", found.rule);
    }
}

#[test]
fn refused() {
    for (source, rule) in REJECTED {
        assert_eq!(rejection(source).rule, *rule, "{source:?}");
    }
}

#[test]
fn accepted_and_compiled() {
    for source in ACCEPTED {
        let (tree, file) = parse_checked(source, "test.py", &SourceLimits::default(), Some(&grants))
            .unwrap_or_else(|error| panic!("{source:?}: {error}"));
        compile_top(tree, file, Mode::Exec, CompileOpts::default())
            .unwrap_or_else(|error| panic!("{source:?}: {error}"));
    }
}

#[test]
fn the_tables_are_as_large_as_they_claim() {
    assert!(ATTRIBUTES.len() + REJECTED.len() >= 150 && ACCEPTED.len() >= 80);
}

#[test]
fn a_rejection_has_place_rule_and_advice() {
    let found = rejection("x = 1\nif x:\n    'é'; y = x.__class__\n");
    assert_eq!((found.line, found.column), (3, 16));
    assert_eq!(found.rule, "dunder-attribute");
    assert_eq!(found.file, "test.py");
    assert!(found.message.contains("__class__") && found.advice.contains("super().__init__"));
}

/// Two faults each; the one that stands first in the source is told.
#[test]
fn the_first_fault_is_told() {
    for (source, column) in [
        ("f(__a=1, *x.__class__)", 3),
        ("f(x.__class__, __a=1)", 5),
        ("f(*x.__b__, __a=1)", 6),
        ("f(__a=1, b=__c)", 3),
        ("__a if __b else __c", 1),
        ("f(1) if __b else __c", 9),
        ("[__a for __b in c]", 2),
        ("def f(__a, /, *__b, __c, **__d): pass", 7),
        ("def f(a, *__b, __c, **__d): pass", 11),
        ("class A(__b, metaclass=M): pass", 9),
        ("class A(metaclass=M, x=__b): pass", 9),
        ("@__a\nclass A(metaclass=M): pass", 2),
        ("import os, sys", 8),
        ("{__a: __b}", 2),
    ] {
        assert_eq!(rejection(source).column, column, "{source:?}");
    }
}

#[test]
fn names_in_messages_are_cut() {
    let found = rejection(&format!("x.__{}", "a".repeat(10_000)));
    assert!(found.message.len() < 100, "{}", found.message.len());
}

#[test]
fn bound_names_are_found_in_every_form() {
    let source = "a = 1\ndef b(c, /, d, *e, f, **g): pass\nclass h: pass\nimport i, j.k, l as m\nfrom n import o, p as q\n\
                  for r in s: pass\nwith t as u: pass\ntry: pass\nexcept v as w: pass\n(x := y)\n[z for aa in ab]\n\
                  def ac():\n global ad\n def ae():\n  nonlocal af\nmatch ag:\n case ah: pass\n case [*ai]: pass\n case {**aj}: pass\n\
                  lambda ak: al\nam.an = 1\nf(ao=1)\nap: int\naq += 1\ndel ar";
    let parsed = rustpython_parser::parse_module(source).expect("the source is valid");
    let mut bound: Vec<&str> = super::bindings::collect(parsed.syntax()).into_iter().collect();
    bound.sort_unstable();
    let mut expected: Vec<&str> =
        "a b c d e f g h i j m o q r u w x aa ac ad ae af ah ai aj ak ap aq ar".split(' ').collect();
    expected.sort_unstable();
    assert_eq!(bound, expected);
}

/// An annotation becomes a function of its own, `__annotate__`, a constant like any other function's code: it is
/// instrumented with the rest, and no name that a script may write reaches it.
#[test]
fn annotations_are_not_evaluated_where_they_stand() {
    for (source, annotates) in [
        ("x: trap()", true),
        ("if 1: x: trap() = 1", true),
        ("class A:\n x: trap()", true),
        ("def f(a: trap()) -> trap(): pass", true),
        // A local variable's annotation is checked and dropped.
        ("def f():\n x: trap() = 1", false),
    ] {
        let (tree, file) = parse_checked(source, "test.py", &SourceLimits::default(), Some(&grants)).expect(source);
        let code = compile_top(tree, file, Mode::Exec, CompileOpts::default()).expect(source);
        let mut users = Vec::new();
        collect_users(&code, "trap", &mut users);
        assert_eq!(users, if annotates { vec!["__annotate__"] } else { vec![] }, "{source}");
    }
}

/// The names of the code objects that use a global name.
fn collect_users(code: &CodeObject, name: &str, users: &mut Vec<String>) {
    if code.names.iter().any(|used| used == name) {
        users.push(code.obj_name.to_string());
    }
    for constant in code.constants.iter() {
        if let ConstantData::Code { code } = constant {
            collect_users(code, name, users);
        }
    }
}
