//! What plugin authors write must go on working.

use crate::guard::testing::run_all;

/// A name, a program, and what it prints.
const PROGRAMS: &[(&str, &str, &str)] = &[
    ("expressions", "print(1 + 2 * 3, 7 // 2, 2 ** 10, -7 % 3, 1 < 2 < 3, not 0)", "7 3 1024 2 True True"),
    ("print_options", "print('a', 'b', sep='-', end='!\\n', flush=True)\nprint(1, sep=None, end=None)", "a-b!\n1"),
    (
        "strings",
        "print('a,b'.split(','), ' x '.strip(), 'abc'[::-1], 'é'.upper(), '%d-%s' % (1, 'x'))",
        "['a', 'b'] x cba É 1-x",
    ),
    (
        "f_strings",
        "x = 3.14159\nname = 'Zoë'\nprint(f'{x:.2f} {name!r:>8} {x=:.1f} {\"n\" * 2}')",
        "3.14    'Zoë' x=3.1 nn",
    ),
    (
        "format",
        "print('{} {1}'.replace('{1}', '{}').format(1, 2), '{a:>{w}}'.format(a=1, w=4), '{0[k]}'.format({'k': 5}))",
        "1 2    1 5",
    ),
    (
        "format_attribute",
        "class P:\n    def __init__(self): self.hp = 3\nprint('{0.hp} {p.hp:02d} {0.hp!r}'.format(P(), p=P()))",
        "3 03 3",
    ),
    (
        "format_map",
        "class D(dict):\n    def __missing__(self, key): return '?' + key\nprint('{a} {b}'.format_map(D(a=1)))",
        "1 ?b",
    ),
    (
        "format_spec_of_a_class",
        "class M:\n    def __format__(self, spec): return 'M' + spec\nprint(f'{M():x}', format(M(), 'y'), '{:z}'.format(M()))",
        "Mx My Mz",
    ),
    (
        "collections",
        "d = {'a': 1}\nd['b'] = 2\nprint(d, [*d], {**d, 'c': 3}, {1, 2} | {3}, (1, *[2, 3]))",
        "{'a': 1, 'b': 2} ['a', 'b'] {'a': 1, 'b': 2, 'c': 3} {1, 2, 3} (1, 2, 3)",
    ),
    (
        "comprehensions",
        "print([i * i for i in range(4) if i], {i: i for i in 'ab'}, {i % 2 for i in range(9)}, sum(i for i in range(4)))",
        "[1, 4, 9] {'a': 'a', 'b': 'b'} {0, 1} 6",
    ),
    (
        "functions",
        "def f(a, /, b=2, *args, c, d=4, **kw): return a, b, args, c, d, kw\nprint(f(1, c=3), f(1, 2, 3, c=4, z=5))",
        "(1, 2, (), 3, 4, {}) (1, 2, (3,), 4, 4, {'z': 5})",
    ),
    (
        "closures",
        "def counter():\n    n = 0\n    def more():\n        nonlocal n\n        n += 1\n        return n\n    return more\nc = counter()\nprint(c(), c())",
        "1 2",
    ),
    ("globals", "n = 0\ndef f():\n    global n\n    n += 1\nf(); f()\nprint(n)", "2"),
    (
        "lambda_and_key",
        "print(sorted(['bb', 'a'], key=len), sorted([3, 1], key=lambda x: -x), max('abc', key=ord), min([], default=0))",
        "['a', 'bb'] [3, 1] c 0",
    ),
    (
        "decorators",
        "def twice(f):\n    def inner(*a): return f(*a) * 2\n    return inner\n@twice\ndef g(x): return x\nprint(g(4))",
        "8",
    ),
    (
        "class",
        "class A:\n    kind = 'a'\n    def __init__(self, x=0): self.x = x\n    def double(self): return self.x * 2\n    def __repr__(self): return f'A({self.x})'\na = A(3)\nprint(a, a.double(), A.kind, a.kind)",
        "A(3) 6 a a",
    ),
    (
        "inheritance",
        "class A:\n    def __init__(self): self.n = 1\n    def f(self): return 'A'\nclass B(A):\n    def __init__(self):\n        super().__init__()\n        self.n += 1\n    def f(self): return 'B' + super().f()\nb = B()\nprint(b.n, b.f(), isinstance(b, A), issubclass(B, A))",
        "2 BA True True",
    ),
    (
        "super_with_arguments",
        "class A:\n    def f(self): return 'A'\nclass B(A):\n    def f(self): return super(B, self).f() + 'B'\nprint(B().f())",
        "AB",
    ),
    (
        "multiple_inheritance",
        "class A:\n    def f(self): return 'A'\nclass B(A):\n    def f(self): return 'B' + super().f()\nclass C(A):\n    def f(self): return 'C' + super().f()\nclass D(B, C): pass\nprint(D().f())",
        "BCA",
    ),
    (
        "properties",
        "class A:\n    def __init__(self): self.v = 1\n    @property\n    def x(self): return self.v\n    @x.setter\n    def x(self, value): self.v = value\n    @x.deleter\n    def x(self): self.v = None\na = A()\na.x = 5\nprint(a.x)\ndel a.x\nprint(a.x)",
        "5\nNone",
    ),
    (
        "class_and_static_methods",
        "class A:\n    n = 0\n    @classmethod\n    def make(cls): return cls()\n    @staticmethod\n    def add(a, b): return a + b\nclass B(A): pass\nprint(isinstance(B.make(), B), A.add(1, 2), B().add(3, 4))",
        "True 3 7",
    ),
    (
        "operators",
        "class V:\n    def __init__(self, x): self.x = x\n    def __add__(self, o): return V(self.x + o.x)\n    def __eq__(self, o): return self.x == o.x\n    def __hash__(self): return hash(self.x)\n    def __lt__(self, o): return self.x < o.x\n    def __bool__(self): return self.x != 0\n    def __call__(self, y): return self.x * y\n    def __neg__(self): return V(-self.x)\nprint((V(1) + V(2)).x, V(1) == V(1), V(1) != V(2), len({V(1), V(1)}), sorted([V(2), V(1)])[0].x, bool(V(0)), V(3)(4), (-V(1)).x)",
        "3 True True 1 1 False 12 -1",
    ),
    (
        "containers",
        "class L:\n    def __init__(self): self.d = {}\n    def __getitem__(self, k): return self.d[k]\n    def __setitem__(self, k, v): self.d[k] = v\n    def __delitem__(self, k): del self.d[k]\n    def __len__(self): return len(self.d)\n    def __contains__(self, k): return k in self.d\n    def __iter__(self): return iter(self.d)\nx = L()\nx['a'] = 1\nx['b'] = 2\ndel x['a']\nprint(len(x), 'b' in x, list(x), x['b'])",
        "1 True ['b'] 2",
    ),
    (
        "attribute_hooks",
        "class A:\n    def __getattr__(self, name): return 'got ' + name\n    def __setattr__(self, name, value): super().__setattr__(name, value + 1)\n    def __delattr__(self, name): print('del', name)\na = A()\na.x = 1\nprint(a.x, a.y, getattr(a, 'z'))\ndel a.q",
        "2 got y got z\ndel q",
    ),
    (
        "descriptors",
        "class D:\n    def __set_name__(self, owner, name): self.name = name\n    def __get__(self, obj, kind): return self if obj is None else obj.vals[self.name]\n    def __set__(self, obj, value): obj.vals[self.name] = value\nclass A:\n    x = D()\n    def __init__(self): self.vals = {}\na = A()\na.x = 5\nprint(a.x, A.x.name)",
        "5 x",
    ),
    (
        "init_subclass",
        "class A:\n    made = []\n    def __init_subclass__(cls): A.made.append(cls)\nclass B(A): pass\nprint(A.made == [B])",
        "True",
    ),
    ("class_getitem", "class A:\n    def __class_getitem__(cls, i): return i\nprint(A[3])", "3"),
    (
        "new",
        "class A:\n    def __new__(cls, x):\n        self = super().__new__(cls)\n        self.y = x\n        return self\nprint(A(3).y)",
        "3",
    ),
    (
        "slots",
        "class A:\n    __slots__ = ('x', 'y')\n    def __init__(self): self.x = 1\na = A()\nprint(a.x)\ntry: a.z = 1\nexcept AttributeError as e: print('no z')",
        "1\nno z",
    ),
    (
        "subclassed_builtins",
        "class L(list):\n    def total(self): return sum(self)\nclass D(dict): pass\nclass S(str): pass\nclass N(int):\n    def __add__(self, o): return N(int(self) + o)\nprint(L([1, 2]).total(), D(a=1), S('x').upper(), N(2) + 3)",
        "3 {'a': 1} X 5",
    ),
    (
        "dataclass_like",
        "class Point:\n    x: int = 0\n    y: int = 0\n    def __init__(self, x, y): self.x, self.y = x, y\n    def __eq__(self, o): return (self.x, self.y) == (o.x, o.y)\n    def __repr__(self): return f'Point(x={self.x}, y={self.y})'\nprint(Point(1, 2), Point(1, 2) == Point(1, 2))",
        "Point(x=1, y=2) True",
    ),
    (
        "nested_classes",
        "class A:\n    class B:\n        v = 1\n    def f(self):\n        class C(A.B): pass\n        return C().v\nprint(A().f())",
        "1",
    ),
    (
        "class_body_scope",
        "class A:\n    n = 3\n    squares = [i * 2 for i in range(n)]\n    def f(self): return __class__ is A\nprint(A.squares, A().f())",
        "[0, 2, 4] True",
    ),
    (
        "private_names_stay_inside",
        "class A:\n    def __init__(self): self.__x = 1\n    def get(self): return self.__x\nprint(A().get())",
        "1",
    ),
    (
        "type_hints",
        "def f(a: int, b: 'str' = '') -> list[int]: return [a]\nx: dict[str, list[int]] = {}\ny: int | None = None\nclass A:\n    z: 'A'\nprint(f(1), x, y, list[int], int | None, dict[str, type[int]])",
        "[1] {} None list[int] int | None dict[str, type[int]]",
    ),
    (
        "generators",
        "def g():\n    x = yield 1\n    print('sent', x)\n    yield from [2, 3]\n    return 4\nit = g()\nprint(next(it), it.send('v'), list(it))",
        "sent v\n1 2 [3]",
    ),
    (
        "generator_close_and_throw",
        "def g():\n    try: yield 1\n    except KeyError as e: yield 'caught ' + str(e)\n    finally: print('closed')\na = g(); next(a); print(a.throw(KeyError('k'))); a.close()\nb = g(); next(b); b.close()",
        "caught 'k'\nclosed\nclosed",
    ),
    (
        "generator_return",
        "def g():\n    yield 1\n    return 'r'\ndef h():\n    v = yield from g()\n    print(v)\nprint(list(h()))\ni = g(); next(i)\ntry: next(i)\nexcept StopIteration as e: print(e.value)",
        "r\n[1]\nr",
    ),
    (
        "iterators",
        "class Count:\n    def __init__(self): self.n = 0\n    def __iter__(self): return self\n    def __next__(self):\n        self.n += 1\n        if self.n > 3: raise StopIteration\n        return self.n\nprint(list(Count()), next(iter([]), 'none'), list(iter(lambda: 1, 1)), list(zip('ab', [1, 2])), list(enumerate('a', 1)), list(map(str, [1])), list(filter(None, [0, 1])), list(reversed([1, 2])))",
        "[1, 2, 3] none [] [('a', 1), ('b', 2)] [(1, 'a')] ['1'] [1] [2, 1]",
    ),
    (
        "async",
        "async def one(): return 1\nasync def two():\n    a = await one()\n    return a + 1\nc = two()\ntry: c.send(None)\nexcept StopIteration as e: print(e.value)",
        "2",
    ),
    (
        "async_iteration",
        "async def ag():\n    for i in range(3): yield i\nclass C:\n    async def __aenter__(self): return 'in'\n    async def __aexit__(self, *a): print('out')\nasync def main():\n    r = [x async for x in ag()]\n    async for y in ag(): r.append(y)\n    async with C() as c: r.append(c)\n    return r\ntry: main().send(None)\nexcept StopIteration as e: print(e.value)",
        "out\n[0, 1, 2, 0, 1, 2, 'in']",
    ),
    (
        "try",
        "def f(x):\n    try: return 1 / x\n    except ZeroDivisionError as e: return str(e)\n    else: return 'else'\n    finally: print('finally')\nprint(f(0), f(1))",
        "finally\nfinally\ndivision by zero 1.0",
    ),
    (
        "raise_from",
        "class Bad(ValueError): pass\ntry:\n    try: {}['k']\n    except KeyError as e: raise Bad('bad') from e\nexcept Bad as e: print(repr(e), e.args, isinstance(e, ValueError))",
        "Bad('bad') ('bad',) True",
    ),
    (
        "exception_attributes",
        "try: [].missing\nexcept AttributeError as e: print(e.name, e)\ntry: missing\nexcept NameError as e: print(hasattr(e, 'name'))\ntry: b'\\xff'.decode()\nexcept UnicodeDecodeError as e: print(e.start, e.object)\ntry: 'a' + 1\nexcept TypeError as e: print(type(e) is TypeError)",
        "missing 'list' object has no attribute 'missing'\nFalse\n0 b'\\xff'\nTrue",
    ),
    ("exception_notes", "e = ValueError(1)\ne.add_note('n')\nprint(e, repr(e))", "1 ValueError(1)"),
    (
        "bare_except_and_reraise",
        "try:\n    try: 1 / 0\n    except: raise\nexcept Exception as e: print(type(e))",
        "<class 'ZeroDivisionError'>",
    ),
    (
        "with",
        "class C:\n    def __enter__(self): print('in'); return self\n    def __exit__(self, kind, error, tb): print('out', kind is ValueError, error); return True\nwith C() as c: raise ValueError('x')\nprint('after')",
        "in\nout True x\nafter",
    ),
    (
        "match",
        "class P:\n    def __init__(self, x, y): self.x, self.y = x, y\ndef f(v):\n    match v:\n        case 0: return 'zero'\n        case int(n) if n > 10: return 'big'\n        case str() | bytes(): return 'text'\n        case [1, *rest]: return rest\n        case {'k': k, **more}: return k, more\n        case P(x=0, y=y): return y\n        case None: return 'none'\n        case _: return 'other'\nprint(f(0), f(11), f('a'), f([1, 2]), f({'k': 1, 'z': 2}), f(P(0, 5)), f(None), f(3))",
        "zero big text [2] (1, {'z': 2}) 5 none other",
    ),
    (
        "walrus_and_unpacking",
        "if (n := len('abc')) > 2: print(n)\na, (b, *c) = 1, (2, 3, 4)\nprint(a, b, c)",
        "3\n1 2 [3, 4]",
    ),
    (
        "while_else",
        "i = 0\nwhile i < 2: i += 1\nelse: print('else')\nfor i in range(3):\n    if i == 1: break\nelse: print('never')\nprint(i)",
        "else\n1",
    ),
    (
        "assert_and_del",
        "x = 1\nassert x == 1, 'm'\ntry: assert x == 2, 'm'\nexcept AssertionError as e: print(e)\ndel x\ntry: x\nexcept NameError: print('gone')",
        "m\ngone",
    ),
    (
        "type_of",
        "class A: pass\na = A()\nprint(type(1) is int, type(a) is A, type(a)() is not a, type(A) is type, type(type) is type, type('x'), type(None)(), type(ValueError()) is ValueError)",
        "True True True True True <class 'str'> None True",
    ),
    (
        "isinstance_of",
        "class A: pass\nprint(isinstance(A, type), isinstance(1, type), isinstance(int, type), isinstance(1, (str, (int,))), isinstance(1, int | str), issubclass(bool, int), issubclass(A, (int, object)), isinstance(True, int), issubclass(type, object))",
        "True False True True True True True True True",
    ),
    (
        "attribute_functions",
        "class A: pass\na = A()\nsetattr(a, 'x', 1)\nprint(getattr(a, 'x'), hasattr(a, 'x'), hasattr(a, 'y'), getattr(a, 'y', 'no'))\ndelattr(a, 'x')\nprint(hasattr(a, 'x'))\ntry: getattr(a, 'y')\nexcept AttributeError as e: print(e)",
        "1 True False no\nFalse\n'A' object has no attribute 'y'",
    ),
    (
        "getattr_dispatch",
        "class A:\n    def do_x(self): return 'x'\n    def do_y(self): return 'y'\nprint([getattr(A(), 'do_' + n)() for n in 'xy'])",
        "['x', 'y']",
    ),
    ("function_attributes", "def f(): pass\nf.calls = 1\nf.calls += 1\nprint(f.calls)", "2"),
    (
        "shown_without_address",
        "class A:\n    def m(self): pass\ndef f(): yield\nprint(A(), A().m, f, f(), len, [].append, object(), lambda: 1, A, print, iter([]))",
        "<A object> <bound method A.m of <A object>> <function f> <generator f> <built-in function len> <built-in method append of list object> <object object> <function <lambda>> <class '__main__.A'> <built-in function print> <list_iterator object>",
    ),
    ("nested_function_shown", "def f():\n    def g(): pass\n    return g\nprint(f())", "<function f.<locals>.g>"),
    (
        "str_of_a_class_without_repr",
        "class A: pass\nprint(str(A()), f'{A()}', repr([A()]))",
        "<A object> <A object> [<A object>]",
    ),
    ("super_repr", "class A:\n    def __repr__(self): return 'A:' + super().__repr__()\nprint(A())", "A:<A object>"),
    (
        "hash_of",
        "class A: pass\na = A()\nprint(hash(a) == hash(a), {a: 1}[a], hash(1), hash(a.__init__ if False else 1.0), len({A(), A()}), hash((1, 2)) == hash((1, 2)))",
        "True 1 1 1 2 True",
    ),
    (
        "method_equality",
        "class A:\n    def m(self): pass\na = A()\nprint(a.m == a.m, hash(a.m) == hash(a.m), {a.m: 1}[a.m], float('nan') in {float('nan')})",
        "True True 1 False",
    ),
    (
        "numbers",
        "print(abs(-1), divmod(7, 2), pow(2, 3), pow(2, 3, 5), round(2.567, 2), bin(5), hex(255), oct(8), int('ff', 16), float('1e3'), complex(1, 2), sum([1, 2]), (255).to_bytes(2, 'big'))",
        "1 (3, 1) 8 3 2.57 0b101 0xff 0o10 255 1000.0 (1+2j) 3 b'\\x00\\xff'",
    ),
    (
        "text_functions",
        "print(chr(65), ord('a'), ascii('é'), repr('x'), str(b'a', 'ascii'), bytes('é', 'utf-8'), bytearray(b'x'), 'é'.encode('latin-1'), b'a'.decode('ascii'))",
        "A 97 '\\xe9' 'x' a b'\\xc3\\xa9' bytearray(b'x') b'\\xe9' a",
    ),
    (
        "sequences",
        "print(list('ab'), tuple([1]), set([1]), frozenset([1]), dict(a=1), dict([(1, 2)]), slice(1, 2), range(3), [1, 2, 3][slice(1, 3)], all([1]), any([0]), callable(len), len({}))",
        "['a', 'b'] (1,) {1} frozenset({1}) {'a': 1} {1: 2} slice(1, 2, None) range(0, 3) [2, 3] True False True 0",
    ),
    (
        "singletons",
        "print(None, True, False, ..., Ellipsis, NotImplemented)",
        "None True False Ellipsis Ellipsis NotImplemented",
    ),
    (
        "sort_stability_and_reverse",
        "x = [(1, 'b'), (0, 'a'), (1, 'a')]\nx.sort(key=lambda p: p[0], reverse=True)\nprint(x)",
        "[(1, 'b'), (1, 'a'), (0, 'a')]",
    ),
    ("recursion_error_is_caught", "def f(): return f()\ntry: f()\nexcept RecursionError: print('deep')", "deep"),
    (
        "unhandled_generator_error",
        "def g():\n    try: yield\n    finally: raise ValueError('in finally')\nx = g()\nnext(x)\ndel x\nprint('alive')",
        "alive",
    ),
    ("never_awaited", "async def f(): pass\nf()\nf()\nprint('quiet')", "quiet"),
    (
        "deprecated_throw",
        "def g():\n    try: yield\n    except ValueError as e: print('got', e)\n    yield\nx = g()\nnext(x)\nx.throw(ValueError, ValueError('v'), None)",
        "got v",
    ),
    ("deprecated_invert", "print(~True)", "-2"),
    (
        "index_deprecation",
        "class I:\n    def __int__(self): return 3\n    def __index__(self): return 2\nprint([1, 2, 3][I()], int(I()))",
        "3 3",
    ),
    ("global_name", "print(__name__)", "__main__"),
];

#[test]
fn ordinary_programs_print_what_they_should() {
    let outcomes = run_all(PROGRAMS.iter().map(|(_, source, _)| (*source).to_owned()).collect());
    let mut wrong = Vec::new();
    for ((name, _, expected), outcome) in PROGRAMS.iter().zip(outcomes) {
        if outcome.error.is_some() || outcome.output.trim_end_matches('\n') != *expected {
            wrong.push(format!("{name}: {:?} {:?}\n   expected {expected:?}", outcome.output, outcome.error));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A second interpreter starts up on the hardened types, and the same programs run in it.
#[test]
fn interpreters_made_after_hardening_work() {
    for _ in 0..2 {
        let outcomes = run_all(vec!["class A:\n    def f(self): return [x for x in 'ab']\nprint(A().f())".to_owned()]);
        assert_eq!(outcomes[0].output, "['a', 'b']\n");
    }
}
