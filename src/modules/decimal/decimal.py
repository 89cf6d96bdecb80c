# Decimal numbers.

_TEXT = r'''([-+])?(?:(?=\d|\.\d)(\d*)(?:\.(\d*))?(?:E([-+]?\d+))?|(Inf(?:inity)?)|(s)?(NaN)(\d*))'''


def _parsed(text, context):
    # The parts of a number written as text.
    from re import fullmatch, IGNORECASE
    found = fullmatch(_TEXT, text.strip().replace('_', ''), IGNORECASE)
    if found is None:
        _signal(context, InvalidOperation, _ConversionSyntax)
        return 0, 0, 0, 'N'
    sign, whole, part, exponent, infinity, signals, nan, payload = found.groups()
    sign = 1 if sign == '-' else 0
    if infinity:
        return sign, 0, 0, 'F'
    if nan:
        return sign, int(payload or '0'), 0, 's' if signals else 'N'
    part = part or ''
    if len(whole) + len(part) > _MOST_DIGITS or exponent is not None and len(exponent) > 20:
        _signal(context, InvalidOperation)
        return 0, 0, 0, 'N'
    return sign, int(whole + part or '0'), int(exponent or '0') - len(part), None


def _converted(value):
    # An operand as a Decimal; None for what is none.
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int):
        return _made(1 if value < 0 else 0, abs(int(value)), 0)
    return None


def _number(value):
    number = _converted(value)
    if number is None:
        raise TypeError(f'conversion from {_class_name(value)} to Decimal is not supported')
    return number


def _compared(number, other, equality):
    # An operand of a comparison; None for what is none.
    if isinstance(other, (Decimal, int)):
        return _converted(other)
    if isinstance(other, float):
        context = getcontext()
        context._flags[FloatOperation] = True
        if not equality:
            _signal(context, FloatOperation)
        return Decimal.from_float(other)
    return None


class Decimal(_Operations):
    __slots__ = ('_sign', '_int', '_exp', '_special')

    def __new__(cls, value='0', context=None):
        context = _context(context)
        special = None
        if isinstance(value, str):
            sign, coefficient, exponent, special = _parsed(value, context)
        elif isinstance(value, Decimal):
            sign, coefficient, exponent, special = value._sign, value._int, value._exp, value._special
        elif isinstance(value, int):
            sign, coefficient, exponent = (1 if value < 0 else 0), abs(int(value)), 0
        elif isinstance(value, float):
            _signal(context, FloatOperation)
            other = Decimal.from_float(value)
            sign, coefficient, exponent, special = other._sign, other._int, other._exp, other._special
        elif isinstance(value, (tuple, list)):
            sign, coefficient, exponent, special = _of_tuple(value)
        else:
            raise TypeError(f'conversion from {_class_name(value)} to Decimal is not supported')
        if not -_MOST_EXPONENT < exponent < _MOST_EXPONENT or coefficient.bit_length() > 14284:
            _signal(context, InvalidOperation)
            sign, coefficient, exponent, special = 0, 0, 0, 'N'
        made = object.__new__(cls)
        made._sign, made._int, made._exp, made._special = sign, coefficient, exponent, special
        return made

    @classmethod
    def from_float(cls, f, /):
        if isinstance(f, int):
            return cls(f)
        if not isinstance(f, float):
            raise TypeError('argument must be int or float')
        if f != f:
            return cls('NaN')
        if f - f != 0:
            return cls('Infinity' if f > 0 else '-Infinity')
        n, d = abs(f).as_integer_ratio()
        k = d.bit_length() - 1
        sign = '-' if str(f).startswith('-') else ''
        made = _made(1 if sign else 0, n * 5 ** k, -k)
        return made if cls is Decimal else cls(made)

    # What it is.

    @property
    def real(self):
        return self

    @property
    def imag(self):
        return Decimal(0)

    def conjugate(self):
        return self

    def is_nan(self):
        return self._special is not None and self._special in 'Ns'

    def is_qnan(self):
        return self._special == 'N'

    def is_snan(self):
        return self._special == 's'

    def is_infinite(self):
        return self._special == 'F'

    def is_finite(self):
        return self._special is None

    def is_signed(self):
        return self._sign == 1

    def is_zero(self):
        return self._special is None and self._int == 0

    def is_normal(self, context=None):
        return self._special is None and self._int != 0 and self.adjusted() >= _context(context)._Emin

    def is_subnormal(self, context=None):
        return self._special is None and self._int != 0 and self.adjusted() < _context(context)._Emin

    def is_canonical(self):
        return True

    def canonical(self):
        return self

    def adjusted(self):
        return 0 if self._special else self._exp + _length(self._int) - 1

    def radix(self):
        return Decimal(10)

    def as_tuple(self):
        if self._special == 'F':
            return DecimalTuple(self._sign, (0,), 'F')
        if self._special:
            digits = tuple([int(digit) for digit in str(self._int)]) if self._int else ()
            return DecimalTuple(self._sign, digits, 'n' if self._special == 'N' else 'N')
        return DecimalTuple(self._sign, tuple([int(digit) for digit in str(self._int)]), self._exp)

    def as_integer_ratio(self):
        if self._special:
            kind = 'Infinity' if self._special == 'F' else 'NaN'
            error = OverflowError if self._special == 'F' else ValueError
            raise error(f'cannot convert {kind} to integer ratio')
        n, d = self._int, 1
        if self._exp >= 0:
            n *= 10 ** self._exp
        else:
            d = 10 ** -self._exp
        shared = _gcd(n, d) or 1
        n //= shared
        return (-n if self._sign else n), d // shared

    def number_class(self, context=None):
        if self._special:
            return {'N': 'NaN', 's': 'sNaN'}.get(self._special) or ('-Infinity' if self._sign else '+Infinity')
        kind = 'Zero' if not self._int else 'Subnormal' if self.is_subnormal(context) else 'Normal'
        return ('-' if self._sign else '+') + kind

    def same_quantum(self, other, context=None):
        other = _number(other)
        if self._special or other._special:
            return self.is_nan() and other.is_nan() or self.is_infinite() and other.is_infinite()
        return self._exp == other._exp

    # As text.

    def _text(self, engineering, context):
        sign = '-' if self._sign else ''
        if self._special == 'F':
            return sign + 'Infinity'
        if self._special:
            return sign + ('NaN' if self._special == 'N' else 'sNaN') + (str(self._int) if self._int else '')
        digits = str(self._int)
        left = self._exp + len(digits)
        if self._exp <= 0 and left > -6:
            point = left
        elif not engineering:
            point = 1
        elif self._int == 0:
            point = (left + 1) % 3 - 1
        else:
            point = (left - 1) % 3 + 1
        if point <= 0:
            whole, part = '0', '.' + '0' * -point + digits
        elif point >= len(digits):
            whole, part = digits + '0' * (point - len(digits)), ''
        else:
            whole, part = digits[:point], '.' + digits[point:]
        exponent = '' if left == point else ('E' if context._capitals else 'e') + f'{left - point:+d}'
        return sign + whole + part + exponent

    def __str__(self):
        return self._text(False, getcontext())

    def to_eng_string(self, context=None):
        return self._text(True, _context(context))

    def __repr__(self):
        return f"Decimal('{self}')"

    def __format__(self, spec):
        return _formatted(self, spec)

    # Conversions.

    def __bool__(self):
        return self._special is not None or self._int != 0

    def __int__(self):
        if self._special == 'F':
            raise OverflowError('cannot convert Infinity to integer')
        if self._special:
            raise ValueError('cannot convert NaN to integer')
        n = self._int * 10 ** self._exp if self._exp >= 0 else _rescaled(0, self._int, self._exp, 0, ROUND_DOWN)[0]
        return -n if self._sign else n

    __trunc__ = __int__

    def __float__(self):
        if self._special == 's':
            raise ValueError('cannot convert signaling NaN to float')
        return float(str(self))

    def __complex__(self):
        return complex(float(self))

    def _whole(self, rounding):
        if self._special == 'F':
            raise OverflowError('cannot convert Infinity to integer')
        if self._special:
            raise ValueError('cannot convert NaN to integer')
        return int(_made(self._sign, *_to_exponent(self, 0, rounding)))

    def __floor__(self):
        return self._whole(ROUND_FLOOR)

    def __ceil__(self):
        return self._whole(ROUND_CEILING)

    def __round__(self, n=None):
        if n is None:
            return self._whole(ROUND_HALF_EVEN)
        return self.quantize(_made(0, 1, -_index(n)))

    def __hash__(self):
        if self._special == 's':
            raise TypeError('Cannot hash a signaling NaN value')
        if self._special == 'N':
            return hash(object())
        if self._special == 'F':
            return -314159 if self._sign else 314159
        prime = 2305843009213693951
        power = pow(10, self._exp, prime) if self._exp >= 0 else pow(pow(10, -1, prime), -self._exp, prime)
        value = self._int * power % prime
        value = -value if self._sign else value
        return -2 if value == -1 else value

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    # Comparisons.

    def __eq__(self, other):
        other = _compared(self, other, True)
        if other is None:
            return NotImplemented
        if self._special == 's' or other._special == 's':
            _signal(getcontext(), InvalidOperation)
        return not self.is_nan() and not other.is_nan() and _order(self, other) == 0

    def _ordered(self, other):
        # -1, 0 or 1; 5 for what has no order, None for what is no number.
        other = _compared(self, other, False)
        if other is None:
            return None
        if self.is_nan() or other.is_nan():
            _signal(getcontext(), InvalidOperation)
            return 5
        return _order(self, other)

    def __lt__(self, other):
        order = self._ordered(other)
        return NotImplemented if order is None else order < 0

    def __le__(self, other):
        order = self._ordered(other)
        return NotImplemented if order is None else order <= 0

    def __gt__(self, other):
        order = self._ordered(other)
        return NotImplemented if order is None else order == 1

    def __ge__(self, other):
        order = self._ordered(other)
        return NotImplemented if order is None else order in (0, 1)

    def compare(self, other, context=None):
        other = _number(other)
        return _not_a_number(self, other, _context(context)) or Decimal(_order(self, other))

    def compare_total(self, other, context=None):
        other = _number(other)
        mine, theirs = _total_key(self), _total_key(other)
        return Decimal((mine > theirs) - (mine < theirs))

    def max(self, other, context=None):
        return self._extreme(_number(other), _context(context), 1)

    def min(self, other, context=None):
        return self._extreme(_number(other), _context(context), -1)

    def _extreme(self, other, context, way):
        if self.is_nan() or other.is_nan():
            if self._special == 'N' and not other.is_nan():
                return _fixed(other, context)
            if other._special == 'N' and not self.is_nan():
                return _fixed(self, context)
            return _not_a_number(self, other, context)
        order = _order(self, other)
        if order == 0:
            mine, theirs = _total_key(self), _total_key(other)
            order = (mine > theirs) - (mine < theirs)
        return _fixed(other if order == -way else self, context)

    # Signs.

    def copy_abs(self):
        return _made(0, self._int, self._exp, self._special)

    def copy_negate(self):
        return _made(1 - self._sign, self._int, self._exp, self._special)

    def copy_sign(self, other, context=None):
        return _made(_number(other)._sign, self._int, self._exp, self._special)

    def _negative(self, context):
        found = _not_a_number(self, None, context)
        if found is not None:
            return found
        zero = self._special is None and not self._int and context._rounding != ROUND_FLOOR
        return _fixed(self.copy_abs() if zero else self.copy_negate(), context)

    def _positive(self, context):
        found = _not_a_number(self, None, context)
        if found is not None:
            return found
        zero = self._special is None and not self._int and context._rounding != ROUND_FLOOR
        return _fixed(self.copy_abs() if zero else self, context)

    def _absolute(self, context):
        return self._negative(context) if self._sign else self._positive(context)

    def __neg__(self):
        return self._negative(getcontext())

    def __pos__(self):
        return self._positive(getcontext())

    def __abs__(self):
        return self._absolute(getcontext())


def _of_tuple(value):
    if len(value) != 3:
        raise ValueError('argument must be a sequence of length 3')
    sign, digits, exponent = value
    if sign not in (0, 1) or not isinstance(sign, int):
        raise ValueError('sign must be an integer with the value 0 or 1')
    if exponent == 'F':
        return sign, 0, 0, 'F'
    if not isinstance(digits, (tuple, list)) or len(digits) > _MOST_DIGITS:
        raise ValueError('coefficient must be a tuple of digits')
    coefficient = 0
    for digit in digits:
        if not isinstance(digit, int) or not 0 <= digit <= 9:
            raise ValueError('coefficient must be a tuple of digits')
        coefficient = coefficient * 10 + digit
    if exponent in ('n', 'N'):
        return sign, coefficient, 0, 'N' if exponent == 'n' else 's'
    if not isinstance(exponent, int):
        raise ValueError('string argument in the third position must be \'F\', \'n\' or \'N\'')
    return sign, coefficient, exponent, None


def _total_key(number):
    # By this all numbers have an order, also those that are none.
    way = -1 if number._sign else 1
    rank = {None: 0, 'F': 1, 's': 2, 'N': 3}[number._special]
    if rank or not number._int:
        size = number._int if rank > 1 else 0
        return way * (rank or 0.5 if rank else 0.5), way * size, way * number._exp
    adjusted = number.adjusted()
    coefficient = number._int * 10 ** (_MOST_DIGITS - _length(number._int))
    return way * 0.75, way * adjusted, way * coefficient, way * number._exp


def _to_exponent(number, exponent, rounding):
    # (coefficient, exponent), of which the exponent is at least that large.
    if number._exp >= exponent:
        return number._int, number._exp
    return _rescaled(number._sign, number._int, number._exp, exponent, rounding)[0], exponent


def _grouped(digits, least):
    # Digits with commas, and zeros before them up to a width.
    digits = digits.rjust(1, '0')
    while True:
        parts = []
        rest = digits
        while len(rest) > 3:
            parts.append(rest[-3:])
            rest = rest[:-3]
        text = ','.join([rest, *reversed(parts)])
        if len(text) >= least:
            return text
        digits = '0' + digits


def _formatted(number, spec):
    from re import fullmatch
    found = fullmatch(r'(?s)(?:(.)?([<>=^]))?([-+ ])?(0)?([1-9]\d*)?(,)?(?:\.(\d+))?([eEfFgGn%])?', spec)
    if found is None:
        raise ValueError('invalid format string')
    fill, align, sign, zero, width, comma, precision, kind = found.groups()
    if zero and not align:
        fill, align = '0', '='
    fill, align, width = fill or ' ', align or '>', int(width or '0')
    if width > 100000 or precision is not None and len(precision) > 5:
        raise ValueError('a width or precision of at most 100000 is available in pycage')
    mark = '-' if number._sign else sign if sign in ('+', ' ') else ''
    context = getcontext()
    if number._special:
        body, part = number.copy_abs()._text(False, context) + ('%' if kind == '%' else ''), ''
        if fill == '0' and align == '=':
            fill, align = ' ', '>'
    else:
        body, part = _body(number, kind or 'g', kind, precision, context)
        if comma:
            body = _grouped(body, width - len(mark) - len(part) if fill == '0' and align == '=' else 0)
    room = width - len(mark) - len(body) - len(part)
    text = body + part
    if room <= 0:
        return mark + text
    if align == '<':
        return mark + text + fill * room
    if align == '>':
        return fill * room + mark + text
    if align == '=':
        return mark + fill * room + text
    return fill * (room // 2) + mark + text + fill * (room - room // 2)


def _body(number, style, given, precision, context):
    # The digits before the point, and what comes behind.
    coefficient, exponent = number._int, number._exp
    rounding = context._rounding
    if given == '%':
        exponent += 2
    if precision is not None:
        precision = int(precision)
        if style in 'eE':
            if coefficient:
                coefficient, exponent = _cut(number._sign, coefficient, exponent, precision + 1, rounding)
        elif style in 'fF%':
            coefficient = _rescaled(number._sign, coefficient, exponent, -precision, rounding)[0]
            exponent = -precision
        elif _length(coefficient) > max(precision, 1):
            coefficient, exponent = _cut(number._sign, coefficient, exponent, max(precision, 1), rounding)
    elif style in 'fF%' and coefficient == 0 and exponent > 0:
        exponent = 0
    digits = str(coefficient)
    left = exponent + len(digits)
    if style in 'eE':
        point = 1
        if coefficient == 0 and precision is not None:
            return '0', ('.' + '0' * precision if precision else '') + f'{style}{exponent + precision:+d}'
    elif style in 'fF%':
        point = left
    elif exponent <= 0 and left > -6:
        point = left
    else:
        point = 1
    if point <= 0:
        whole, part = '0', '0' * -point + digits
    elif point > len(digits):
        whole, part = digits + '0' * (point - len(digits)), ''
    else:
        whole, part = digits[:point] or '0', digits[point:]
    power = left - point
    tail = '.' + part if part else ''
    if style in 'eE':
        tail += f'{style}{power:+d}'
    elif style in 'gGn' and power:
        letter = 'e' if given == 'g' or given == 'n' or not given and not context._capitals else 'E'
        tail += f'{letter}{power:+d}'
    elif given == '%':
        tail += '%'
    return whole, tail


def _cut(sign, coefficient, exponent, digits, rounding):
    # Rounded, or filled up with zeros, to that many digits.
    length = _length(coefficient)
    wanted = exponent + length - digits
    if coefficient == 0:
        return 0, wanted
    coefficient = _rescaled(sign, coefficient, exponent, wanted, rounding)[0]
    if _length(coefficient) > digits:
        coefficient //= 10
        wanted += 1
    return coefficient, wanted
