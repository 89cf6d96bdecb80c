# Ratios of ints, always in lowest terms.

from math import gcd as _gcd

_PATTERN = r'''\s*([-+]?)(?=\d|\.\d)(\d*|\d+(?:_\d+)*)(?:(?:/(\d+(?:_\d+)*))?|(?:\.(\d*|\d+(?:_\d+)*))?(?:E([-+]?\d+(?:_\d+)*))?)\s*'''


def _of_text(text):
    # The ratio that a text stands for, not reduced.
    from re import fullmatch, IGNORECASE
    found = fullmatch(_PATTERN, text, IGNORECASE)
    if found is None:
        raise ValueError(f'Invalid literal for Fraction: {text!r}')
    sign, number, denominator, decimal, exponent = found.groups()
    n = int(number or '0')
    if denominator:
        d = int(denominator)
    else:
        d = 1
        if decimal:
            decimal = decimal.replace('_', '')
            scale = 10 ** len(decimal)
            n = n * scale + int(decimal)
            d *= scale
        if exponent:
            exponent = int(exponent)
            if exponent >= 0:
                n *= 10 ** exponent
            else:
                d *= 10 ** -exponent
    return (-n if sign == '-' else n), d


def _ratio(value):
    # The terms of a number that is no Fraction.
    if isinstance(value, int):
        return int(value), 1
    if isinstance(value, float):
        return value.as_integer_ratio()
    ratio = _getattr(value, 'as_integer_ratio', None)
    return None if ratio is None else ratio()


class Fraction:
    __slots__ = ('_n', '_d')

    def __new__(cls, numerator=0, denominator=None):
        if denominator is None:
            if isinstance(numerator, Fraction):
                return _make(cls, numerator._n, numerator._d)
            if isinstance(numerator, str):
                n, d = _of_text(numerator)
            else:
                ratio = None if _is_class(numerator) else _ratio(numerator)
                if ratio is None:
                    raise TypeError('argument should be a string or a Rational instance')
                return _make(cls, *ratio)
        elif isinstance(numerator, (int, Fraction)) and isinstance(denominator, (int, Fraction)):
            n = numerator.numerator * denominator.denominator
            d = denominator.numerator * numerator.denominator
        else:
            raise TypeError('both arguments should be Rational instances')
        if d == 0:
            raise ZeroDivisionError(f'Fraction({n}, 0)')
        shared = _gcd(n, d)
        if d < 0:
            shared = -shared
        return _make(cls, n // shared, d // shared)

    @classmethod
    def from_float(cls, f):
        if isinstance(f, int):
            return cls(f)
        if not isinstance(f, float):
            raise TypeError(f'{cls.__name__}.from_float() only takes floats, not {f!r} ({_class_name(f)})')
        return _make(cls, *f.as_integer_ratio())

    @classmethod
    def from_decimal(cls, dec):
        if isinstance(dec, int):
            return cls(dec)
        ratio = None if isinstance(dec, (float, Fraction)) else _ratio(dec)
        if ratio is None:
            raise TypeError(f'{cls.__name__}.from_decimal() only takes Decimals, not {dec!r} ({_class_name(dec)})')
        return _make(cls, *ratio)

    def as_integer_ratio(self):
        return self._n, self._d

    @property
    def numerator(self):
        return self._n

    @property
    def denominator(self):
        return self._d

    def limit_denominator(self, max_denominator=1000000):
        if max_denominator < 1:
            raise ValueError('max_denominator should be at least 1')
        if self._d <= max_denominator:
            return Fraction(self)
        p0, q0, p1, q1 = 0, 1, 1, 0
        n, d = self._n, self._d
        while True:
            a = n // d
            q2 = q0 + a * q1
            if q2 > max_denominator:
                break
            p0, q0, p1, q1 = p1, q1, p0 + a * p1, q2
            n, d = d, n - a * d
        k = (max_denominator - q0) // q1
        low = Fraction(p0 + k * p1, q0 + k * q1)
        high = Fraction(p1, q1)
        return high if abs(high - self) <= abs(low - self) else low

    def __repr__(self):
        return f'{type(self).__name__}({self._n}, {self._d})'

    def __str__(self):
        return str(self._n) if self._d == 1 else f'{self._n}/{self._d}'

    def __add__(self, other):
        return _binary(self, other, _add, lambda a, b: a + b)

    def __radd__(self, other):
        return _reflected(other, self, _add, lambda a, b: a + b)

    def __sub__(self, other):
        return _binary(self, other, _sub, lambda a, b: a - b)

    def __rsub__(self, other):
        return _reflected(other, self, _sub, lambda a, b: a - b)

    def __mul__(self, other):
        return _binary(self, other, _mul, lambda a, b: a * b)

    def __rmul__(self, other):
        return _reflected(other, self, _mul, lambda a, b: a * b)

    def __truediv__(self, other):
        return _binary(self, other, _div, lambda a, b: a / b)

    def __rtruediv__(self, other):
        return _reflected(other, self, _div, lambda a, b: a / b)

    def __floordiv__(self, other):
        return _binary(self, other, _floordiv, lambda a, b: a // b)

    def __rfloordiv__(self, other):
        return _reflected(other, self, _floordiv, lambda a, b: a // b)

    def __mod__(self, other):
        return _binary(self, other, _mod, lambda a, b: a % b)

    def __rmod__(self, other):
        return _reflected(other, self, _mod, lambda a, b: a % b)

    def __divmod__(self, other):
        return _binary(self, other, _divmod, divmod)

    def __rdivmod__(self, other):
        return _reflected(other, self, _divmod, divmod)

    def __pow__(self, power):
        if isinstance(power, Fraction) and power._d != 1:
            return float(self) ** float(power)
        if not isinstance(power, (int, Fraction)):
            return float(self) ** power if isinstance(power, (float, complex)) else NotImplemented
        power = power.numerator
        n, d = self._n, self._d
        if power < 0:
            if n == 0:
                raise ZeroDivisionError(f'Fraction({d ** -power}, 0)')
            n, d, power = (d, n, -power) if n > 0 else (-d, -n, -power)
        return _make(Fraction, n ** power, d ** power)

    def __rpow__(self, base):
        if self._d == 1 and self._n >= 0:
            return base ** self._n
        if isinstance(base, (int, Fraction)):
            return Fraction(base) ** self
        return base ** float(self)

    def __pos__(self):
        return _make(Fraction, self._n, self._d)

    def __neg__(self):
        return _make(Fraction, -self._n, self._d)

    def __abs__(self):
        return _make(Fraction, abs(self._n), self._d)

    def __int__(self):
        return self.__trunc__()

    def __trunc__(self):
        return -(-self._n // self._d) if self._n < 0 else self._n // self._d

    def __floor__(self):
        return self._n // self._d

    def __ceil__(self):
        return -(-self._n // self._d)

    def __round__(self, ndigits=None):
        if ndigits is None:
            floor, rest = divmod(self._n, self._d)
            if rest * 2 < self._d or rest * 2 == self._d and floor % 2 == 0:
                return floor
            return floor + 1
        shift = 10 ** abs(ndigits)
        return Fraction(round(self * shift), shift) if ndigits > 0 else Fraction(round(self / shift) * shift)

    def __float__(self):
        return self._n / self._d

    def __complex__(self):
        return complex(float(self))

    def __bool__(self):
        return self._n != 0

    def __hash__(self):
        # As the hash of an equal int or float.
        try:
            inverse = pow(self._d, -1, 2305843009213693951)
        except ValueError:
            value = 314159
        else:
            value = hash(hash(abs(self._n)) * inverse)
        value = value if self._n >= 0 else -value
        return -2 if value == -1 else value

    def __eq__(self, other):
        if isinstance(other, int):
            return self._n == other and self._d == 1
        if isinstance(other, Fraction):
            return self._n == other._n and self._d == other._d
        if isinstance(other, complex) and other.imag == 0:
            other = other.real
        if isinstance(other, float):
            return False if other - other != 0 else self == Fraction(other)
        return NotImplemented

    def _order(self, other):
        # What to compare; None for what is no number.
        if isinstance(other, (int, Fraction)):
            return self._n * other.denominator, self._d * other.numerator
        if isinstance(other, float):
            if other - other != 0:
                return 0.0, other
            n, d = other.as_integer_ratio()
            return self._n * d, self._d * n
        return None

    def __lt__(self, other):
        pair = self._order(other)
        return NotImplemented if pair is None else pair[0] < pair[1]

    def __le__(self, other):
        pair = self._order(other)
        return NotImplemented if pair is None else pair[0] <= pair[1]

    def __gt__(self, other):
        pair = self._order(other)
        return NotImplemented if pair is None else pair[0] > pair[1]

    def __ge__(self, other):
        pair = self._order(other)
        return NotImplemented if pair is None else pair[0] >= pair[1]

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self


def _make(cls, n, d):
    # Of terms that are reduced.
    made = object.__new__(cls)
    made._n = n
    made._d = d
    return made


def _binary(a, b, exact, inexact):
    if isinstance(b, (int, Fraction)):
        return exact(a._n, a._d, b.numerator, b.denominator)
    return inexact(float(a), b) if isinstance(b, (float, complex)) else NotImplemented


def _reflected(a, b, exact, inexact):
    if isinstance(a, int):
        return exact(int(a), 1, b._n, b._d)
    return inexact(a, float(b)) if isinstance(a, (float, complex)) else NotImplemented


def _add(na, da, nb, db):
    return Fraction(na * db + nb * da, da * db)


def _sub(na, da, nb, db):
    return Fraction(na * db - nb * da, da * db)


def _mul(na, da, nb, db):
    return Fraction(na * nb, da * db)


def _div(na, da, nb, db):
    return Fraction(na * db, da * nb)


def _floordiv(na, da, nb, db):
    return (na * db) // (da * nb)


def _divmod(na, da, nb, db):
    quotient, rest = divmod(na * db, da * nb)
    return quotient, Fraction(rest, da * db)


def _mod(na, da, nb, db):
    return Fraction((na * db) % (nb * da), da * db)
