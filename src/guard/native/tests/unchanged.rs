//! Scripts of ordinary size: the guards change nothing.

use super::assert_unchanged;

#[test]
fn iterators() {
    assert_unchanged(&[
        ("R = sum(range(1000))", "499500"),
        ("R = list(range(5))", "[0, 1, 2, 3, 4]"),
        ("R = list(zip('ab', range(2)))", "[('a', 0), ('b', 1)]"),
        ("R = list(map(str, [1, 2]))", "['1', '2']"),
        ("R = [*reversed([1, 2, 3])]", "[3, 2, 1]"),
        ("R = sorted({3, 1, 2})", "[1, 2, 3]"),
        ("R = 5 in range(10), 'x' in range(10), 11 in range(10)", "(True, False, False)"),
        ("a, *b = range(4)\nR = a, b", "(0, [1, 2, 3])"),
        ("R = next(iter([]), 'none')", "'none'"),
        ("next(iter([]))", "StopIteration: "),
        ("list(5)", "TypeError: 'int' object is not iterable"),
        ("R = [i for i in range(3)] + list(i for i in range(2))", "[0, 1, 2, 0, 1]"),
        (
            "class L:\n    def __len__(self): return 3\n    def __iter__(self): return iter([1, 2])\nR = list(L()), sorted(L())",
            "([1, 2], [1, 2])",
        ),
        (
            "class G:\n    def __len__(self): return 10**9\n    def __getitem__(self, i): return [7, 8][i]\nx = []\nx.extend(G())\nR = x, list(G()), sorted(G()), bytes(G())",
            "([7, 8], [7, 8], [7, 8], b'\\x07\\x08')",
        ),
        ("x = [1]\nx.extend(x)\nx += x\nR = x", "[1, 1, 1, 1]"),
        ("x = [1, 2, 3]\nx[1:2] = x\nR = x", "[1, 1, 2, 3, 3]"),
        ("x = [1]\nx += 5", "TypeError: 'int' object is not iterable"),
        ("import itertools\nR = list(itertools.islice(itertools.count(), 3))", "[0, 1, 2]"),
        (
            "R = list.__init__.__name__, int.__pow__.__name__, range.__iter__.__name__",
            "('__init__', '__pow__', '__iter__')",
        ),
    ]);
}

#[test]
fn ints() {
    assert_unchanged(&[
        ("R = 2**100", "1267650600228229401496703205376"),
        ("R = pow(3, 1000, 7), pow(3, -1, 7), pow(-3, 5, 7), pow(3, 5, -7), pow(5, 0, 3)", "(4, 5, 2, -2, 1)"),
        ("R = pow(2, -1)", "0.5"),
        ("pow(2, -1, 4)", "ValueError: base is not invertible for the given modulus"),
        ("pow(2, 3, 0)", "ValueError: pow() 3rd argument cannot be 0"),
        ("R = 7 // 2, -7 // 2, 7 % -3, divmod(-7, 2), 7 / 2", "(3, -4, -2, (-4, 1), 3.5)"),
        ("1 // 0", "ZeroDivisionError: division by zero"),
        ("R = 1 << 10, True << 3, 0 << 10**20, 5 >> 1", "(1024, 8, 0, 2)"),
        ("1 << -1", "ValueError: negative shift count"),
        (
            "R = round(12345, -2), round(12355, -1), round(15, -1), round(25, -1), round(-15, -1)",
            "(12300, 12360, 20, 20, -20)",
        ),
        (
            "R = round(12345, -5), round(12345, -2**31), round(5, -1), round(-7, -100), round(99999, -5)",
            "(0, 0, 0, 0, 100000)",
        ),
        ("R = round(5, 3), round(5)", "(5, 5)"),
        (
            "R = (258).to_bytes(2, 'big'), (0).to_bytes(3, 'little'), (1).to_bytes()",
            "(b'\\x01\\x02', b'\\x00\\x00\\x00', b'\\x01')",
        ),
        ("(256).to_bytes(1, 'big')", "OverflowError: int too big to convert"),
        ("(1).to_bytes(-1, 'big')", "ValueError: length argument must be non-negative"),
        ("R = int.from_bytes(b'\\x01\\x02', 'big'), int.from_bytes([1, 2])", "(258, 258)"),
        ("R = int('ff', 16), int('0b11', 0), int(' 12 '), int(3.9), int(b'7'), int()", "(255, 3, 12, 3, 7, 0)"),
        ("R = int('0' * 200000 + '1', 2), int.from_bytes(b'\\0' * 50000, 'big')", "(1, 0)"),
        ("int('1' * 200000, 16)", "OverflowError: integer too large: the limit is 131072 bits"),
        ("int.from_bytes(b'1' * 50000, 'big')", "OverflowError: integer too large: the limit is 131072 bits"),
        (
            "int('1' * 5000)",
            "ValueError: Exceeds the limit (4300 digits) for integer string conversion: value has 5000 digits; use sys.set_int_max_str_digits() to increase the limit",
        ),
        ("int('x')", "ValueError: invalid literal for int() with base 10: 'x'"),
        (
            "R = int.__pow__(2, 5), (2).__rpow__(3), int.__mul__(3, 4), int.__lshift__(1, 4), True.__add__(1)",
            "(32, 9, 12, 16, 2)",
        ),
        ("R = int.__pow__(2, 'x'), (2).__add__(1.5)", "(NotImplemented, NotImplemented)"),
        ("2 ** 'x'", "TypeError: unsupported operand type(s) for ** or pow(): 'int' and 'str'"),
        (
            "class I(int):\n    def __pow__(self, o): return 'mine'\nR = I(2) ** 3, 2 ** I(3), I(2) * 3",
            "('mine', 8, 6)",
        ),
        ("class I(int):\n    def __rpow__(self, o): return 'mine'\nR = I(2) ** 3, 2 ** I(3)", "(8, 'mine')"),
        ("x = 10\nx **= 3\nx <<= 1\nx //= 3\nx %= 100\nR = x", "66"),
        ("R = -True, +True, ~5, abs(-5), float(3), (5).__index__()", "(-1, 1, -6, 5, 3.0, 5)"),
        ("R = pow(3, 10**60, 10**40 + 1) == pow(pow(3, 10**30, 10**40 + 1), 10**30, 10**40 + 1)", "True"),
        (
            "m = (1 << 3000) + 5\ne = (1 << 2000) + 3\nR = pow(7, e, m) == pow(7, e - 1, m) * 7 % m, pow(7, e, -m) == pow(7, e, m) - m",
            "(True, True)",
        ),
        ("m = (1 << 2000) + 9\ne = (1 << 900) + 1\nR = pow(7, -e, m) * pow(7, e, m) % m", "1"),
        ("10 ** 50000", "OverflowError: integer too large: the limit is 131072 bits"),
        ("1 << 10**20", "OverflowError: integer too large: the limit is 131072 bits"),
        ("2 ** 10**20", "OverflowError: integer too large: the limit is 131072 bits"),
        ("R = (2 ** 131071).bit_length(), (1 << 131071).bit_length()", "(131072, 131072)"),
        ("R = 1 ** 10**30, 0 ** 10**30, (-1) ** 10**30", "(1, 0, 1)"),
        ("R = hash(2**61 - 1), hash(-1), (1).__eq__(1), (1).__lt__(2), 1 == True", "(0, -2, True, True, True)"),
    ]);
}

#[test]
fn texts() {
    assert_unchanged(&[
        (
            "R = 'a' * 3, 3 * 'a', 'a' * -1, b'a' * 2, bytearray(b'a') * 2",
            "('aaa', 'aaa', '', b'aa', bytearray(b'aa'))",
        ),
        ("'a' * 'b'", "TypeError: can't multiply sequence by non-int of type 'str'"),
        ("R = 'a'.ljust(3, 'é'), 'a'.center(4), 'a'.zfill(3), b'a'.rjust(3, b'x')", "('aéé', ' a  ', '00a', b'xxa')"),
        (
            "R = 'aXbXc'.replace('X', '--'), 'abc'.replace('', '-'), 'aaa'.replace('a', 'b', 2)",
            "('a--b--c', '-a-b-c-', 'bba')",
        ),
        ("R = 'aaa'.replace('a', 'b', count=1), 'é\\u0416'.replace('é', 'e')", "('baa', 'eЖ')"),
        ("R = 'abc'.translate({97: 'x', 98: None, 99: 100}), 'abc'.translate('xyz')", "('xd', 'abc')"),
        (
            "R = 'ab'.translate(str.maketrans('ab', 'cd')), b'ab'.translate(bytes.maketrans(b'ab', b'cd'))",
            "('cd', b'cd')",
        ),
        ("'a'.translate({97: 1.5})", "TypeError: character mapping must return integer, None or str"),
        ("'a'.translate({97: 0x110000})", "ValueError: character mapping must be in range(0x110000)"),
        ("'a'.translate()", "TypeError: translate expected 1 argument, got 0"),
        (
            "R = ','.join('abc'), ','.join(x for x in 'ab'), ','.join([]), ','.join({'a': 1}), b','.join([b'a', b'b'])",
            "('a,b,c', 'a,b', '', 'a', b'a,b')",
        ),
        ("','.join([1])", "TypeError: sequence item 0: expected str instance, int found"),
        ("','.join(5)", "TypeError: can only join an iterable"),
        (
            "R = 'a b  c'.split(), 'a,b,c'.split(',', 1), 'a\\nb'.splitlines(), 'a,b'.rsplit(','), 'a-b'.partition('-')",
            "(['a', 'b', 'c'], ['a', 'b,c'], ['a', 'b'], ['a', 'b'], ('a', '-', 'b'))",
        ),
        (
            "R = 'a\\tb'.expandtabs(4), 'a\\tb'.expandtabs(), 'a\\tb'.expandtabs(tabsize=2)",
            "('a   b', 'a       b', 'a b')",
        ),
        (
            "R = 'abcabc'.count('b'), 'abc'.find('c'), 'abc'.rfind('x'), 'abc'.index('b'), 'b' in 'abc'",
            "(2, 2, -1, 1, True)",
        ),
        (
            "R = 'Abc'.upper(), 'aBC'.swapcase(), 'a b'.title(), ' a '.strip(), 'abc'.startswith(('x', 'a')), 'abc'.endswith('c', 1)",
            "('ABC', 'Abc', 'A B', 'a', True, True)",
        ),
        (
            "R = 'é'.encode(), b'\\xc3\\xa9'.decode(), str(b'abc', 'ascii'), bytes('é', 'utf-8'), b'\\x01'.hex(), bytes.fromhex('01ff')",
            "(b'\\xc3\\xa9', 'é', 'abc', b'\\xc3\\xa9', '01', b'\\x01\\xff')",
        ),
        (
            "R = bytes(3), bytes([1, 2]), bytes(b'ab'), bytes(range(3)), bytearray(2), bytes(x for x in [1])",
            "(b'\\x00\\x00\\x00', b'\\x01\\x02', b'ab', b'\\x00\\x01\\x02', bytearray(b'\\x00\\x00'), b'\\x01')",
        ),
        ("bytes(-1)", "ValueError: negative count"),
        ("bytes([256])", "ValueError: bytes must be in range(0, 256)"),
        ("R = 'abcdef'[1:4], 'abcdef'[::-2], b'abc'[-1:], 'abc'[5:], 'abc'[-10:2]", "('bcd', 'fdb', b'c', '', 'ab')"),
        ("R = 'a' < 'b', 'a' == 'a', 'abc' >= 'abd', b'a' < b'b', 'a' == b'a'", "(True, True, False, True, False)"),
        ("R = repr('a\\'b\\n'), str(5), str('x'), repr(b'\\x00')", "('\"a\\'b\\\\n\"', '5', 'x', \"b'\\\\x00'\")"),
        (
            "class S(str):\n    def upper(self): return 'mine'\nR = S('a').upper(), S('a').lower(), S('a') * 2",
            "('mine', 'a', 'aa')",
        ),
    ]);
}

#[test]
fn formats() {
    assert_unchanged(&[
        (
            "R = format(5, '05d'), f'{3.14159:.2f}', f'{\"a\":>3}', f'{1234567:,}', f'{255:#x}', f'{True:5}'",
            "('00005', '3.14', '  a', '1,234,567', '0xff', '    1')",
        ),
        (
            "R = '%s-%d-%.1f-%5s|' % ('a', 5, 2.55, 'b'), '%(a)s' % {'a': 1}, '%%' % (), '%*d' % (4, 7)",
            "('a-5-2.5-    b|', '1', '%', '   7')",
        ),
        ("'%s %s' % ('a',)", "TypeError: not enough arguments for format string"),
        ("'%s' % ('a', 'b')", "TypeError: not all arguments converted during string formatting"),
        ("'%(b)s' % {'a': 1}", "KeyError: 'b'"),
        ("'%z' % 1", "ValueError: unsupported format character 'z' (0x7a) at index 1"),
        ("R = b'%s %d' % (b'a', 5)", "b'a 5'"),
        (
            "R = format(0xd800, 'c'), format(97, 'c'), format(0xdfff, '*>3c'), '{:c}'.format(0xd800)",
            "('\\ud800', 'a', '**\\udfff', '\\ud800')",
        ),
        ("format(0x110000, 'c')", "OverflowError: %c arg not in range(0x110000)"),
        ("format('a', 'd')", "ValueError: Unknown format code 'd' for object of type 'str'"),
        ("format(1, '99999999999999999999')", "ValueError: Too many decimal digits in format string"),
        ("R = '{} {0}'.replace('{0}', 'x'), '{:>4}|{!r}'.format('a', 'b')", "('{} x', \"   a|'b'\")"),
        ("R = f'{1.5}', f'{1+2j}', f'{[1]}', f'{None}'", "('1.5', '(1+2j)', '[1]', 'None')"),
    ]);
}

#[test]
fn containers() {
    assert_unchanged(&[
        ("R = [1] * 3, (1,) * 2, [1] + [2], (1,) + (2,), [0] * -1", "([1, 1, 1], (1, 1), [1, 2], (1, 2), [])"),
        ("[1] + (2,)", "TypeError: Cannot add list and tuple"),
        (
            "x = [3, 1, 2]\nx.sort()\nx.reverse()\nx.insert(1, 9)\nR = x, x.pop(), x.pop(0), x.index(9), x.count(2)",
            "([9, 2], 1, 3, 0, 1)",
        ),
        (
            "x = ['bb', 'a', 'ccc']\nx.sort(key=len, reverse=True)\nR = x, sorted(x, key=str.upper)",
            "(['ccc', 'bb', 'a'], ['a', 'bb', 'ccc'])",
        ),
        ("x = [1, 2]\nx.sort(key=lambda v: x.append(v) or v)", "ValueError: list modified during sort"),
        ("x = [1, 2]\ndef k(v): raise KeyError(v)\ntry: x.sort(key=k)\nexcept KeyError: pass\nR = x", "[1, 2]"),
        ("x = [2, 1]\nx.sort(key=None)\nR = x", "[1, 2]"),
        ("[1].sort(5)", "TypeError: sort expected 0 arguments, got 1"),
        ("[1, 'a'].sort()", "TypeError: '<' not supported between instances of 'str' and 'int'"),
        ("[].pop()", "IndexError: pop from empty list"),
        ("[1].remove(2)", "ValueError: '2' is not in list"),
        (
            "x = list(range(10))\ndel x[2:8:2]\nx[1:2] = 'ab'\nR = x, x[::-1][:2]",
            "([0, 'a', 'b', 3, 5, 7, 8, 9], [9, 8])",
        ),
        (
            "x = {1: 2}\nx.update({3: 4}, a=5)\nx |= {6: 7}\nR = x, x.pop(1), x.get(9), x.setdefault(8, 8), dict(x) == x",
            "({3: 4, 'a': 5, 6: 7, 8: 8}, 2, None, 8, True)",
        ),
        ("{}.pop(1)", "KeyError: 1"),
        (
            "R = {1, 2} | {3}, {1, 2} & {2}, {1} - {1}, {1} ^ {2}, {1} < {1, 2}, {1}.union([2]), frozenset([1]) | {2}",
            "({1, 2, 3}, {2}, set(), {1, 2}, True, {1, 2}, frozenset({1, 2}))",
        ),
        (
            "R = {1: 2}.keys() & {1}, {1: 2}.items() == {1: 2}.items(), 1 in {1: 2}.keys(), list({1: 2}.values())",
            "({1}, True, True, [2])",
        ),
        (
            "R = [1, 2] == [1, 2], [1] < [2], (1, 2) < (1, 3), {1: 2} == {1: 2}, [1] == (1,), {1} == {1}",
            "(True, True, True, True, False, True)",
        ),
        (
            "R = hash((1, 2)) == hash((1, 2)), hash('a') == hash('a'), hash(frozenset([1])) == hash(frozenset([1]))",
            "(True, True, True)",
        ),
        ("hash([])", "TypeError: unhashable type: 'list'"),
        ("x = []\nx.append(x)\nR = repr(x)", "'[[...]]'"),
        (
            "R = list({1: 2}), tuple([1]), set('aa'), frozenset(), dict([(1, 2)]), dict(a=1), list(), list('ab')",
            "([1], (1,), {'a'}, frozenset(), {1: 2}, {'a': 1}, [], ['a', 'b'])",
        ),
        ("dict([1])", "TypeError: object is not iterable"),
        (
            "class L(list):\n    def __init__(self, *a): super().__init__(*a); self.n = len(self)\nR = L([1, 2]).n, L('ab') + [1]",
            "(2, ['a', 'b', 1])",
        ),
        ("class D(dict):\n    def __missing__(self, k): return k * 2\nR = D()[4], D(a=1)", "(8, {'a': 1})"),
        (
            "R = str(ValueError('a', 1)), repr(KeyError('k')), str(KeyError('k')), repr(object) ",
            "(\"('a', 1)\", \"KeyError('k')\", \"'k'\", \"<class 'object'>\")",
        ),
        ("R = max('abc'), min([3, 1]), sum([[1], [2]], []), any([0, 1]), all([])", "('c', 1, [1, 2], True, True)"),
        ("class A:\n    x = 1\nclass B(A): pass\nA.x = 2\nR = B.x, B().x, isinstance(B(), (int, A))", "(2, 2, True)"),
        (
            "class P:\n    @property\n    def v(self): return 5\n    @staticmethod\n    def s(a): return a\n    @classmethod\n    def c(cls): return cls.__name__\nR = P().v, P.s(1), P().s(2), P.c(), P().c()",
            "(5, 1, 2, 'P', 'P')",
        ),
    ]);
}

#[test]
fn recursion() {
    assert_unchanged(&[
        ("x = iter([1])\nfor i in range(500): x = map(int, x)\nR = list(x)", "[1]"),
        (
            "x = iter([1])\nfor i in range(100000): x = map(int, x)\nlist(x)",
            "RecursionError: maximum recursion depth exceeded",
        ),
        (
            "x = iter([1])\nfor i in range(100000): x = filter(None, x)\nlist(x)",
            "RecursionError: maximum recursion depth exceeded",
        ),
        (
            "x = iter([1])\nfor i in range(100000): x = zip(x)\nnext(x)",
            "RecursionError: maximum recursion depth exceeded",
        ),
        (
            "x = iter([1])\nfor i in range(100000): x = enumerate(x)\nnext(x)",
            "RecursionError: maximum recursion depth exceeded",
        ),
        (
            "import itertools\nx = iter([1])\nfor i in range(100000): x = itertools.chain(x)\nnext(x)",
            "RecursionError: maximum recursion depth exceeded",
        ),
        ("x = ValueError()\nfor i in range(100000): x = ValueError(x)\nR = str(x)", "'<element str() failed>'"),
        (
            "x = len\nfor i in range(100000): x = staticmethod(x)\nx([])",
            "RecursionError: maximum recursion depth exceeded",
        ),
        (
            "x = len\nfor i in range(100000): x = staticmethod(x)\nrepr(x)",
            "RecursionError: maximum recursion depth exceeded",
        ),
        (
            "class A: pass\nx = A.__dict__\nfor i in range(100000): x = type(x)(x)\nlen(x)",
            "RecursionError: maximum recursion depth exceeded",
        ),
        (
            "class A: pass\nx = A.__dict__\nfor i in range(100000): x = type(x)(x)\n1 in x",
            "RecursionError: maximum recursion depth exceeded",
        ),
        (
            "class A: pass\nx = A.__dict__\nfor i in range(100000): x = type(x)(x)\nx['a']",
            "RecursionError: maximum recursion depth exceeded",
        ),
        (
            "class A: pass\nx = A.__dict__\nfor i in range(100000): x = type(x)(x)\nrepr(x)",
            "RecursionError: maximum recursion depth exceeded",
        ),
        ("x = []\nfor i in range(100000): x = [x]\nrepr(x)", "RecursionError: maximum recursion depth exceeded"),
        ("x = ()\nfor i in range(100000): x = (x,)\nhash(x)", "RecursionError: maximum recursion depth exceeded"),
        (
            "x = []\nfor i in range(100000): x = [x]\ny = []\nfor i in range(100000): y = [y]\nx == y",
            "RecursionError: maximum recursion depth exceeded",
        ),
        (
            "x = list[int]\nfor i in range(100000): x = list[x]\nrepr(x)",
            "RecursionError: maximum recursion depth exceeded",
        ),
        (
            "x = list[int]\nfor i in range(100000): x = list[x]\nhash(x)",
            "RecursionError: maximum recursion depth exceeded",
        ),
        ("x = []\nfor i in range(100000): x = [x]\nx = None\nR = 1", "1"),
        ("x = iter([1])\nfor i in range(100000): x = map(int, x)\nx = None\nR = 1", "1"),
        ("x = ValueError()\nfor i in range(100000): x = ValueError(x)\nx = None\nR = 1", "1"),
    ]);
}
