//! Programs for the tests.

/// Programs that raise nothing on their way: their counts equal the opcode trace. Each leaves its result in `R`.
pub(super) const STRAIGHT: &[(&str, &str)] = &[
    ("empty", ""),
    ("pass", "pass"),
    ("doc", "'a docstring'\nR = 1"),
    ("while", "i = s = 0\nwhile i < 100:\n    s += i * 2\n    i += 1\nR = s"),
    ("while_true_break", "i = 0\nwhile True:\n    i += 1\n    if i > 50: break\nR = i"),
    ("while_else", "i = 0\nwhile i < 9:\n    i += 1\n    if i == 77: break\nelse:\n    i = -1\nR = i"),
    ("for_range", "s = 0\nfor i in range(50):\n    s += i\nR = s"),
    ("for_pass", "for i in range(50): pass\nR = i"),
    ("for_list", "s = 0\nfor i in [1, 2, 3] * 20:\n    s += i\nR = s"),
    ("for_tuple", "s = 0\nfor i in (1, 2, 3) * 20:\n    s += i\nR = s"),
    ("for_zip", "R = 0\nfor a, b in zip(range(30), [1] * 30):\n    R += a + b"),
    ("for_enumerate", "R = 0\nfor i, x in enumerate('abc' * 20):\n    R += i"),
    ("for_dict", "d = {str(i): i for i in range(40)}\nR = 0\nfor k in d: R += d[k]\nfor k, v in d.items(): R += v"),
    (
        "for_native_tail",
        "l = [1] * 30\nR = 0\nfor x in l:\n    R += sum(range(3))\nfor x in tuple(l):\n    R += sum(range(3))",
    ),
    (
        "for_break_else",
        "R = []\nfor n in range(2, 30):\n    for x in range(2, n):\n        if n % x == 0: break\n    else:\n        R.append(n)",
    ),
    ("for_continue", "R = 0\nfor i in range(40):\n    if i % 3: continue\n    R += i"),
    (
        "nested_for",
        "R = 0\nfor a in range(6):\n    for b in [1, 2]:\n        for c in (1, 2):\n            R += a * b * c",
    ),
    (
        "comprehensions",
        "n = 20\nR = [[i * i for i in range(n) if i % 2], {i: str(i) for i in range(n)}, {i % 7 for i in range(n)}, [a * b for a in range(4) for b in (1, 2)]]",
    ),
    ("function_comprehension", "def f(n):\n    return [(lambda: x)() for x in [y for y in range(n)]]\nR = f(20)"),
    ("sum_range", "R = 0\nfor _ in range(20): R += sum(range(10))"),
    (
        "unpack",
        "R = 0\nfor _ in range(20):\n    a, b = 1, 2\n    c, *d = [a, b, 3]\n    (e, f), g = (1, 2), 3\n    h, i = {1: 2, 3: 4}\n    j, k = map(abs, [1, 2])\n    R += a + b + c + len(d) + e + f + g + h + j",
    ),
    ("fib", "def fib(n):\n    if n < 2:\n        return n\n    return fib(n - 1) + fib(n - 2)\nR = fib(12)"),
    (
        "closures",
        "def outer(n):\n    k = 0\n    def inner(a, *args, b=3, **kw):\n        nonlocal k\n        k += a + b\n        return lambda: k + n\n    for i in range(20):\n        inner(i, b=i)()\n    return k\nR = outer(5)",
    ),
    (
        "classes",
        "class A:\n    z: int = 3\n    def __init__(self, x): self.x = x\n    def __add__(self, o): return A(self.x + o.x)\n    def __lt__(self, o): return self.x < o.x\n    @property\n    def y(self): return self.x * 2\n    @staticmethod\n    def s(a): return a\n    @classmethod\n    def c(cls, a): return cls(a)\n    def __getitem__(self, i): return i\nclass B(A):\n    def __init__(self, x):\n        super().__init__(x)\n    @property\n    def y(self): return super().y + 1\nR = 0\nfor i in range(20):\n    b = B(i) + A.c(2)\n    R += b.x + b.y + B(3).y + A.s(1) + b[4] + min(B(3), B(2)).x",
    ),
    (
        "with",
        "class C:\n    def __enter__(self): return self\n    def __exit__(self, *a): return False\nR = 0\nfor i in range(20):\n    with C() as c, C():\n        R += 1",
    ),
    (
        "match",
        "def m(v):\n    match v:\n        case {'a': x}: return x\n        case [1, *r]: return len(r)\n        case (a, b): return a\n        case int(x) if x > 3: return x\n        case int() | str(): return 1\n        case _: return 0\nR = [m(v) for v in ({'a': 1}, [1, 2, 3], (4, 5), 9, 2, 's', None)] * 5",
    ),
    (
        "try_quiet",
        "R = 0\nfor i in range(20):\n    try:\n        R += 1\n    except ValueError:\n        R -= 1\n    else:\n        R += 2\n    finally:\n        R += 1",
    ),
    (
        "boolean",
        "R = [a and b or (not a) and c for a in (0, 1) for b in (0, 2) for c in (0, 3)]\nR += [1 < x < 3 for x in range(5)] + [x if x else None for x in range(3)]",
    ),
    ("strings", "R = ''\nfor i in range(20):\n    R += f'{i}:{i!r:>4}' + 'x' * 2"),
    ("inplace_string", "def f():\n    s = ''\n    for i in range(40):\n        s += 'ab'\n    return s\nR = f()"),
    ("walrus", "R = []\ni = 0\nwhile (i := i + 1) < 20: R.append(i)"),
    ("global", "R = 0\ndef f():\n    global R\n    R += 1\nfor _ in range(20): f()"),
    ("lambda_defaults", "R = sum((lambda a, b=2, *c, d=4, **e: a + b + d)(i) for i in [1])"),
    (
        "decorators",
        "def twice(f):\n    def g(*a): return f(*a) + f(*a)\n    return g\n@twice\ndef h(x): return x\nR = sum([h(i) for i in range(20)])",
    ),
    (
        "starred",
        "def f(*a, **k): return len(a) + len(k)\nR = 0\nfor i in range(20):\n    R += f(*[1, 2], *(3,), **{'x': 1}, y=2)",
    ),
    ("sets_dicts", "R = {**{'a': 1}, 'b': 2}\nS = {*[1, 2], 3}\nfor i in range(20):\n    R[i] = i in S\n    S.add(i)"),
    (
        "slices",
        "l = list(range(50))\nR = 0\nfor i in range(20):\n    R += len(l[i:]) + len(l[:i:2])\n    l[0:2] = [1, 2]\ndel l[3]",
    ),
    ("sorting", "R = sorted([3, 1, 2] * 10, key=lambda x: -x)"),
    ("in_constant_set", "R = [x in {1, 2, 3} for x in range(20)]"),
    ("del", "R = 0\nfor i in range(10):\n    x = i\n    del x\ndef f():\n    y = 1\n    del y\n    return 2\nR = f()"),
    (
        "annotations",
        "x: int = 1\nif x:\n    y: str = 'a'\ndef f(a: int, b: 'str' = 'x') -> None: pass\nclass C:\n    z: int\n    if True:\n        w: int = 2\nR = C.w",
    ),
    (
        "generator_suspended",
        "def g():\n    for i in range(10):\n        yield i\na = g()\nR = [next(a), next(a), next(a)]",
    ),
    ("assert", "R = 1\nassert R == 1, 'no'"),
];

/// Programs whose generators end: the trace reports their ends as exceptions, and still the counts are equal.
pub(super) const GENERATORS: &[(&str, &str)] = &[
    ("for_generator", "def g(n):\n    for i in range(n):\n        yield i\nR = 0\nfor x in g(40): R += x"),
    ("generator_expression", "R = sum(x * 2 for x in range(40) if x % 3)"),
    (
        "yield_from_list",
        "def g():\n    yield from [1, 2, 3]\n    r = yield from (4, 5)\n    yield from range(3)\nR = [list(g()) for _ in range(20)]",
    ),
    (
        "yield_from_generator",
        "def a(n):\n    for i in range(n): yield i\n    return n\ndef b(n):\n    r = yield from a(n)\n    yield r\ndef c(n):\n    yield from b(n)\ndef d(n):\n    yield from c(n)\nR = [sum(d(20)) for _ in range(20)]",
    ),
    (
        "yield_from_long",
        "def a(n):\n    for i in range(n): yield i\ndef b(n): yield from a(n)\ndef c(n): yield from b(n)\ndef d(n): yield from c(n)\nR = 0\nfor x in d(400): R += x",
    ),
    (
        "send",
        "def g():\n    t = 0\n    while t < 50:\n        x = yield t\n        t += x or 1\nR = []\nfor _ in range(10):\n    h = g()\n    next(h)\n    R.append([h.send(2), h.send(3), next(h)])",
    ),
    (
        "close",
        "def g():\n    while True:\n        yield 1\nR = 0\nfor _ in range(10):\n    h = g()\n    R += next(h)\n    h.close()",
    ),
];

/// Programs that raise and catch, in all shapes.
pub(super) const RAISING: &[(&str, &str)] = &[
    (
        "async",
        "class AIT:\n    def __init__(self): self.i = 0\n    def __aiter__(self): return self\n    async def __anext__(self):\n        self.i += 1\n        if self.i > 5: raise StopAsyncIteration\n        return self.i\nclass ACM:\n    async def __aenter__(self): return 1\n    async def __aexit__(self, *a): return False\nasync def aw(i): return i\nasync def co(n):\n    t = 0\n    for i in range(n): t += await aw(i)\n    async with ACM() as q: t += q\n    async for z in AIT(): t += z\n    return t + sum([x async for x in AIT()])\nR = []\nfor _ in range(10):\n    try: co(5).send(None)\n    except StopIteration as e: R.append(e.value)",
    ),
    (
        "async_generator",
        "async def g(n):\n    for i in range(n): yield i\nasync def co():\n    t = 0\n    async for x in g(5): t += x\n    return t\nR = []\nfor _ in range(10):\n    try: co().send(None)\n    except StopIteration as e: R.append(e.value)",
    ),
    (
        "await",
        "async def aw(i): return i\nclass ACM:\n    async def __aenter__(self): return 1\n    async def __aexit__(self, *a): return False\nasync def co(n):\n    t = 0\n    for i in range(n): t += await aw(i)\n    async with ACM() as q: t += q\n    return t\nR = []\nfor _ in range(10):\n    try: R.append(co(5).send(None))\n    except StopIteration as e: R.append(e.value)",
    ),
    ("uncaught", "def f(x):\n    return 1 / x\ndef g():\n    return f(\n        0)\ng()"),
    (
        "caught",
        "R = []\nfor i in range(20):\n    try:\n        if i % 3 == 0: raise ValueError(i)\n        elif i % 3 == 1: {}[i]\n        R.append(i)\n    except ValueError as e:\n        R.append(str(e))\n    except KeyError:\n        continue\n    else:\n        R.append('else')\n    finally:\n        R.append('finally')",
    ),
    (
        "finally_return",
        "def f(x):\n    for i in range(3):\n        try:\n            if x == i: raise KeyError(i)\n        finally:\n            if x == 1: return 'r'\n            if x == 2: break\n    return i\nR = []\nfor x in (1, 2):\n    try: R.append(f(x))\n    except KeyError as e: R.append('k')",
    ),
    (
        "reraise",
        "def f():\n    try:\n        try: [][1]\n        except IndexError: raise\n        finally: print('f')\n    except IndexError as e:\n        raise KeyError('k') from e\nf()",
    ),
    (
        "with_swallow",
        "class C:\n    def __init__(self, s): self.s = s\n    def __enter__(self): return self\n    def __exit__(self, *a): return self.s\nR = 0\nfor i in range(9):\n    with C(True):\n        with C(False):\n            if i % 2: raise ValueError\n        R += 1",
    ),
    (
        "generator_throw",
        "def g():\n    while True:\n        try:\n            x = yield 1\n        except KeyError:\n            yield 2\n        finally:\n            print('fin')\nh = g()\nR = [next(h), h.throw(KeyError), next(h)]\nh.close()",
    ),
    (
        "yield_from_throw",
        "def a():\n    try:\n        yield 1\n        yield 2\n    except ValueError:\n        yield 3\n    return 4\ndef b():\n    r = yield from a()\n    yield r\ndef c():\n    yield from b()\nh = c()\nR = [next(h), h.throw(ValueError), next(h)]\nh.throw(KeyError('x'))",
    ),
    ("generator_raise", "def g():\n    yield 1\n    raise KeyError(\n        1)\nfor _ in g():\n    pass"),
    ("stop_iteration_inside", "def g():\n    yield 1\n    next(iter([]))\nR = list(g())"),
    ("name_error", "def f():\n    return missing\nf()"),
    ("unbound", "def f():\n    if False: x = 1\n    return x\nf()"),
    ("recursion", "def f(n): return f(n + 1)\ntry: f(0)\nexcept RecursionError: R = 'deep'"),
    (
        "exception_context",
        "R = None\ntry:\n    try: 1 / 0\n    except ZeroDivisionError as e: raise KeyError from None\nexcept KeyError as e:\n    R = repr(e.__cause__)",
    ),
    (
        "async_raise",
        "async def a(): raise ValueError('v')\nasync def b():\n    try: await a()\n    except KeyError: pass\nb().send(None)",
    ),
    ("decorator_raise", "def d(f): raise TypeError('d')\n@d\ndef f(): pass"),
    ("class_body_raise", "class C:\n    x = 1\n    y = x / 0"),
    ("comprehension_raise", "R = [1 / x for x in (2, 1, 0)]"),
    ("sort_raise", "R = sorted([1, 'a'])"),
    (
        "for_raise",
        "class I:\n    def __iter__(self): return self\n    def __next__(self): raise OSError('n')\nfor x in I(): pass",
    ),
];
