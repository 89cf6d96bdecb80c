# What `math` does with ints and iterables. Products are bounded in size by the meter of the operator itself.


def floor(x, /):
    whole = _whole(x, -1)
    if whole is not None:
        return whole
    method = _special(x, '__floor__')
    return _whole(_float(x), -1) if method is None else method()


def ceil(x, /):
    whole = _whole(x, 1)
    if whole is not None:
        return whole
    method = _special(x, '__ceil__')
    return _whole(_float(x), 1) if method is None else method()


def trunc(x, /):
    whole = _whole(x, 0)
    if whole is not None:
        return whole
    method = _special(x, '__trunc__')
    if method is None:
        raise TypeError(f'type {type(x).__name__} doesn\'t define __trunc__ method')
    return method()


def isclose(a, b, *, rel_tol=1e-09, abs_tol=0.0):
    a = _float(a)
    b = _float(b)
    rel_tol = _float(rel_tol)
    abs_tol = _float(abs_tol)
    if rel_tol < 0.0 or abs_tol < 0.0:
        raise ValueError('tolerances must be non-negative')
    if a == b:
        return True
    if isinf(a) or isinf(b):
        return False
    distance = abs(b - a)
    return distance <= abs(rel_tol * b) or distance <= abs(rel_tol * a) or distance <= abs_tol


def fsum(seq, /):
    return _fsum([*seq])


def dist(p, q, /):
    return _dist([*p], [*q])


def prod(iterable, /, *, start=1):
    for factor in iterable:
        start = start * factor
    return start


def _common(a, b):
    # Long division is metered by the operator; the native function does the short rest.
    a = abs(_index(a))
    b = abs(_index(b))
    while b.bit_length() > 2048:
        a, b = b, a % b
    return _gcd(a, b)


def gcd(*integers):
    result = 0
    for integer in integers:
        result = _common(result, integer)
    return result


def lcm(*integers):
    result = 1
    for integer in integers:
        integer = _index(integer)
        if integer == 0:
            result = 0
        elif result != 0:
            result = abs(result // _common(result, integer) * integer)
    return result


def isqrt(n, /):
    n = _index(n)
    if n < 0:
        raise ValueError('isqrt() argument must be nonnegative')
    if n == 0:
        return 0
    half = (n.bit_length() - 1) // 2
    root = 1
    bits = 0
    for shift in reversed(range(half.bit_length())):
        before = bits
        bits = half >> shift
        root = (root << bits - before - 1) + (n >> 2 * half - before - bits + 1) // root
    return root - (root * root > n)


def _product(low, high):
    # The product of all ints from low to high, in halves of about the same size.
    if high - low < 8:
        result = low
        for factor in range(low + 1, high + 1):
            result = result * factor
        return result
    middle = (low + high) // 2
    return _product(low, middle) * _product(middle + 1, high)


def factorial(x, /):
    x = _index(x)
    if x < 0:
        raise ValueError('factorial() not defined for negative values')
    return _product(1, x) if x > 1 else 1


def perm(n, k=None, /):
    if k is None:
        return factorial(n)
    n = _index(n)
    k = _index(k)
    if n < 0:
        raise ValueError('n must be a non-negative integer')
    if k < 0:
        raise ValueError('k must be a non-negative integer')
    if k > n:
        return 0
    return _product(n - k + 1, n) if k else 1


def comb(n, k, /):
    n = _index(n)
    k = _index(k)
    if n < 0:
        raise ValueError('n must be a non-negative integer')
    if k < 0:
        raise ValueError('k must be a non-negative integer')
    if k > n:
        return 0
    k = min(k, n - k)
    result = 1
    for step in range(1, k + 1):
        result = result * (n - k + step) // step
    return result
