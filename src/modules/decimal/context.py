# Decimal arithmetic: signals and contexts. Precision has a bound here, so that no operation is long by itself.

from collections import namedtuple as _namedtuple
from math import isqrt as _isqrt

ROUND_DOWN = 'ROUND_DOWN'
ROUND_HALF_UP = 'ROUND_HALF_UP'
ROUND_HALF_EVEN = 'ROUND_HALF_EVEN'
ROUND_CEILING = 'ROUND_CEILING'
ROUND_FLOOR = 'ROUND_FLOOR'
ROUND_UP = 'ROUND_UP'
ROUND_HALF_DOWN = 'ROUND_HALF_DOWN'
ROUND_05UP = 'ROUND_05UP'
_ROUNDINGS = (ROUND_UP, ROUND_DOWN, ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, ROUND_HALF_DOWN, ROUND_HALF_EVEN,
              ROUND_05UP)

HAVE_THREADS = False
HAVE_CONTEXTVAR = False
MAX_PREC = 4000
MAX_EMAX = 999999
MIN_EMIN = -999999
MIN_ETINY = MIN_EMIN - (MAX_PREC - 1)
# What a number may have that no context has rounded.
_MOST_DIGITS = 4300
_MOST_EXPONENT = 10000000

DecimalTuple = _namedtuple('DecimalTuple', 'sign digits exponent')


class DecimalException(ArithmeticError):
    pass


class Clamped(DecimalException):
    pass


class InvalidOperation(DecimalException):
    pass


class ConversionSyntax(InvalidOperation):
    pass


class DivisionImpossible(InvalidOperation):
    pass


class DivisionUndefined(InvalidOperation, ZeroDivisionError):
    pass


class DivisionByZero(DecimalException, ZeroDivisionError):
    pass


class Inexact(DecimalException):
    pass


class Rounded(DecimalException):
    pass


class Subnormal(DecimalException):
    pass


class Overflow(Inexact, Rounded):
    pass


class Underflow(Inexact, Rounded, Subnormal):
    pass


class FloatOperation(DecimalException, TypeError):
    pass


_ConversionSyntax = ConversionSyntax
_DivisionImpossible = DivisionImpossible
_DivisionUndefined = DivisionUndefined
del ConversionSyntax, DivisionImpossible, DivisionUndefined

_SIGNALS = (InvalidOperation, FloatOperation, DivisionByZero, Overflow, Subnormal, Underflow, Rounded, Inexact, Clamped)
_SHOWN_SIGNALS = (Clamped, InvalidOperation, DivisionByZero, Inexact, FloatOperation, Overflow, Rounded, Subnormal,
                  Underflow)


def _signals(given):
    # A dict of all signals from a dict or a list of some.
    if given is None:
        return dict.fromkeys(_SIGNALS, False)
    if isinstance(given, dict):
        for signal in _SIGNALS:
            if signal not in given:
                raise KeyError(f'invalid signal dict')
        return {signal: bool(given[signal]) for signal in _SIGNALS}
    given = [*given]
    for signal in given:
        if signal not in _SIGNALS:
            raise TypeError('values for signal must be an iterable of signals')
    return {signal: signal in given for signal in _SIGNALS}


def _bounded(value, low, high, name):
    if not isinstance(value, int):
        raise TypeError('optional arg must be an integer')
    if not low <= value <= high:
        raise ValueError(f'valid range for {name}')
    return value


class Context:
    __slots__ = ('_prec', '_rounding', '_Emin', '_Emax', '_capitals', '_clamp', '_flags', '_traps')

    def __init__(self, prec=None, rounding=None, Emin=None, Emax=None, capitals=None, clamp=None, flags=None,
                 traps=None):
        default = DefaultContext
        self.prec = default._prec if prec is None else prec
        self.rounding = default._rounding if rounding is None else rounding
        self.Emin = default._Emin if Emin is None else Emin
        self.Emax = default._Emax if Emax is None else Emax
        self.capitals = default._capitals if capitals is None else capitals
        self.clamp = default._clamp if clamp is None else clamp
        self._flags = _signals(flags)
        self._traps = dict(default._traps) if traps is None else _signals(traps)

    @property
    def prec(self):
        return self._prec

    @prec.setter
    def prec(self, value):
        self._prec = _bounded(value, 1, MAX_PREC, 'prec is [1, MAX_PREC]')

    @property
    def rounding(self):
        return self._rounding

    @rounding.setter
    def rounding(self, value):
        if value not in _ROUNDINGS:
            raise TypeError("valid values for rounding are:\n  [ROUND_CEILING, ROUND_FLOOR, ROUND_UP, ROUND_DOWN,\n"
                            "   ROUND_HALF_UP, ROUND_HALF_DOWN, ROUND_HALF_EVEN,\n   ROUND_05UP]")
        self._rounding = value

    @property
    def Emin(self):
        return self._Emin

    @Emin.setter
    def Emin(self, value):
        self._Emin = _bounded(value, MIN_EMIN, 0, 'Emin is [MIN_EMIN, 0]')

    @property
    def Emax(self):
        return self._Emax

    @Emax.setter
    def Emax(self, value):
        self._Emax = _bounded(value, 0, MAX_EMAX, 'Emax is [0, MAX_EMAX]')

    @property
    def capitals(self):
        return self._capitals

    @capitals.setter
    def capitals(self, value):
        if value not in (0, 1):
            raise ValueError('valid values for capitals are 0 or 1')
        self._capitals = value

    @property
    def clamp(self):
        return self._clamp

    @clamp.setter
    def clamp(self, value):
        if value not in (0, 1):
            raise ValueError('valid values for clamp are 0 or 1')
        self._clamp = value

    @property
    def flags(self):
        return self._flags

    @flags.setter
    def flags(self, value):
        self._flags = _signals(value)

    @property
    def traps(self):
        return self._traps

    @traps.setter
    def traps(self, value):
        self._traps = _signals(value)

    def Etiny(self):
        return self._Emin - self._prec + 1

    def Etop(self):
        return self._Emax - self._prec + 1

    def clear_flags(self):
        self._flags = _signals(None)

    def clear_traps(self):
        self._traps = _signals(None)

    def copy(self):
        return Context(self._prec, self._rounding, self._Emin, self._Emax, self._capitals, self._clamp, self._flags,
                       self._traps)

    __copy__ = copy

    def __repr__(self):
        flags = ', '.join([signal.__name__ for signal in _SHOWN_FLAGS if self._flags[signal]])
        traps = ', '.join([signal.__name__ for signal in _SHOWN_FLAGS if self._traps[signal]])
        return (f'Context(prec={self._prec}, rounding={self._rounding}, Emin={self._Emin}, Emax={self._Emax}, '
                f'capitals={self._capitals}, clamp={self._clamp}, flags=[{flags}], traps=[{traps}])')

    def create_decimal(self, num='0', /):
        number = Decimal(num, self)
        if number._special == 'N' or number._special == 's':
            return number
        return _fixed(number, self)

    def create_decimal_from_float(self, f, /):
        return _fixed(Decimal.from_float(f), self)

    def abs(self, x, /):
        return _number(x)._absolute(self)

    def add(self, x, y, /):
        return _number(x)._plus(_number(y), self)

    def subtract(self, x, y, /):
        return _number(x)._plus(_number(y).copy_negate(), self)

    def multiply(self, x, y, /):
        return _number(x)._times(_number(y), self)

    def divide(self, x, y, /):
        return _number(x)._over(_number(y), self)

    def divide_int(self, x, y, /):
        return _floor_over(_number(x), _number(y), self)

    def remainder(self, x, y, /):
        return _number(x)._rest_over(_number(y), self)

    def power(self, a, b, modulo=None):
        if modulo is not None:
            raise TypeError('power() with a modulo is not available in pycage')
        return _number(a)._to_power(_number(b), self)

    def sqrt(self, x, /):
        return _number(x).sqrt(self)

    def exp(self, x, /):
        return _number(x).exp(self)

    def ln(self, x, /):
        return _number(x).ln(self)

    def log10(self, x, /):
        return _number(x).log10(self)

    def quantize(self, x, y, /):
        return _number(x).quantize(y, None, self)

    def compare(self, x, y, /):
        return _number(x).compare(y, self)

    def max(self, x, y, /):
        return _number(x).max(y, self)

    def min(self, x, y, /):
        return _number(x).min(y, self)

    def minus(self, x, /):
        return _number(x)._negative(self)

    def plus(self, x, /):
        return _number(x)._positive(self)

    def normalize(self, x, /):
        return _number(x).normalize(self)

    def to_sci_string(self, x, /):
        return _number(x)._text(False, self)

    def to_eng_string(self, x, /):
        return _number(x)._text(True, self)

    def to_integral_value(self, x, /):
        return _number(x).to_integral_value(None, self)


_SHOWN_FLAGS = (InvalidOperation, FloatOperation, DivisionByZero, Overflow, Subnormal, Underflow, Rounded, Inexact,
                Clamped)


def _signal(context, signal, detail=None):
    context._flags[signal] = True
    if context._traps[signal]:
        raise signal([signal if detail is None else detail])


def _plain_context(prec, rounding, Emin, Emax, traps):
    context = object.__new__(Context)
    context._prec, context._rounding, context._Emin, context._Emax = prec, rounding, Emin, Emax
    context._capitals, context._clamp = 1, 0
    context._flags, context._traps = _signals(None), _signals(traps)
    return context


DefaultContext = _plain_context(28, ROUND_HALF_EVEN, -999999, 999999, [DivisionByZero, Overflow, InvalidOperation])
BasicContext = _plain_context(9, ROUND_HALF_UP, -999999, 999999,
                              [DivisionByZero, Overflow, InvalidOperation, Clamped, Underflow])
ExtendedContext = _plain_context(9, ROUND_HALF_EVEN, -999999, 999999, [])
_current = []


def getcontext():
    if not _current:
        _current.append(DefaultContext.copy())
    return _current[0]


def setcontext(context, /):
    if not isinstance(context, Context):
        raise TypeError('optional argument must be a context')
    if context in (DefaultContext, BasicContext, ExtendedContext):
        context = context.copy()
    _current[:] = [context]


class _Local:
    def __init__(self, context):
        self._new = context

    def __enter__(self):
        self._saved = getcontext()
        setcontext(self._new)
        return self._new

    def __exit__(self, kind, value, traceback):
        setcontext(self._saved)


def localcontext(ctx=None, **kwargs):
    context = (getcontext() if ctx is None else ctx).copy()
    for name, value in kwargs.items():
        if name not in ('prec', 'rounding', 'Emin', 'Emax', 'capitals', 'clamp', 'flags', 'traps'):
            raise TypeError(f"'{name}' is an invalid keyword argument for this function")
        setattr(context, name, value)
    return _Local(context)


def _context(given):
    if given is None:
        return getcontext()
    if not isinstance(given, Context):
        raise TypeError('optional argument must be a context')
    return given
