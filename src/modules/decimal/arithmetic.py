# Decimal arithmetic: what works on coefficients and exponents.


def _length(n):
    # The digits of a coefficient. Texts of ints have an end, so it is estimated and corrected.
    if n < 1000000000000000000:
        return len(str(n))
    length = (n.bit_length() - 1) * 30103 // 100000 + 1
    while n >= 10 ** length:
        length += 1
    while n < 10 ** (length - 1):
        length -= 1
    return length


def _made(sign, coefficient, exponent, special=None):
    made = object.__new__(Decimal)
    made._sign, made._int, made._exp, made._special = sign, coefficient, exponent, special
    return made


def _rounds_up(sign, quotient, rest, unit, rounding):
    # Whether what is cut off makes the last digit one more.
    if not rest:
        return False
    if rounding == ROUND_HALF_EVEN:
        return rest * 2 > unit or rest * 2 == unit and quotient % 2 == 1
    if rounding == ROUND_HALF_UP:
        return rest * 2 >= unit
    if rounding == ROUND_HALF_DOWN:
        return rest * 2 > unit
    if rounding == ROUND_DOWN:
        return False
    if rounding == ROUND_UP:
        return True
    if rounding == ROUND_CEILING:
        return sign == 0
    if rounding == ROUND_FLOOR:
        return sign == 1
    return quotient % 5 == 0


def _rescaled(sign, coefficient, exponent, wanted, rounding):
    # The coefficient with another exponent, and whether anything but zeros was cut off.
    if coefficient == 0 or wanted == exponent:
        return coefficient, False
    if wanted < exponent:
        return coefficient * 10 ** (exponent - wanted), False
    cut = wanted - exponent
    if cut > _length(coefficient) + 1:
        coefficient, cut = 1, 2
    unit = 10 ** cut
    quotient, rest = divmod(coefficient, unit)
    return quotient + _rounds_up(sign, quotient, rest, unit, rounding), rest != 0


def _overflow(sign, context):
    _flag(context, Inexact, Rounded)
    _signal(context, Overflow)
    _signal(context, Inexact)
    _signal(context, Rounded)
    rounding = context._rounding
    if rounding in (ROUND_DOWN, ROUND_05UP) or rounding == (ROUND_FLOOR if sign == 0 else ROUND_CEILING):
        return _made(sign, 10 ** context._prec - 1, context.Etop())
    return _made(sign, 0, 0, 'F')


def _flag(context, *signals):
    for signal in signals:
        context._flags[signal] = True


def _fixed(number, context):
    # Rounded and within the exponents of a context.
    if number._special is not None:
        if number._special in 'Ns' and _length(number._int) > context._prec - context._clamp:
            return _made(number._sign, number._int % 10 ** (context._prec - context._clamp), 0, number._special)
        return number
    sign, coefficient, exponent = number._sign, number._int, number._exp
    etiny, etop = context.Etiny(), context.Etop()
    if coefficient == 0:
        bounded = min(max(exponent, etiny), etop if context._clamp else context._Emax)
        if bounded == exponent:
            return number
        _signal(context, Clamped)
        return _made(sign, 0, bounded)
    least = _length(coefficient) + exponent - context._prec
    if least > etop:
        return _overflow(sign, context)
    subnormal = least < etiny
    if subnormal:
        least = etiny
    if exponent < least:
        coefficient, inexact = _rescaled(sign, coefficient, exponent, least, context._rounding)
        if coefficient == 10 ** context._prec:
            coefficient //= 10
            least += 1
        if least > etop:
            return _overflow(sign, context)
        _flag(context, Rounded, *([Inexact] if inexact else []), *([Subnormal] if subnormal else []),
              *([Underflow] if subnormal and inexact else []))
        if subnormal and inexact:
            _signal(context, Underflow)
        if subnormal:
            _signal(context, Subnormal)
        if inexact:
            _signal(context, Inexact)
        _signal(context, Rounded)
        if not coefficient:
            _signal(context, Clamped)
        return _made(sign, coefficient, least)
    if subnormal:
        _signal(context, Subnormal)
    if context._clamp and exponent > etop:
        _signal(context, Clamped)
        return _made(sign, coefficient * 10 ** (exponent - etop), etop)
    return number


def _invalid(context, detail=None):
    _signal(context, InvalidOperation, detail)
    return _made(0, 0, 0, 'N')


def _quieted(number, context):
    return _fixed(_made(number._sign, number._int, 0, 'N'), context)


def _not_a_number(a, b, context):
    # What an operation on something that is no number gives; None if both are numbers.
    for number in (a, b):
        if number is not None and number._special == 's':
            _signal(context, InvalidOperation)
            return _quieted(number, context)
    for number in (a, b):
        if number is not None and number._special == 'N':
            return _fixed(number, context)
    return None


def _order(a, b):
    # -1, 0 or 1 for numbers.
    if a._special or b._special:
        left = 0 if a._special is None else -1 if a._sign else 1
        right = 0 if b._special is None else -1 if b._sign else 1
        return (left > right) - (left < right)
    if not a._int or not b._int:
        left = 0 if not a._int else -1 if a._sign else 1
        right = 0 if not b._int else -1 if b._sign else 1
        return (left > right) - (left < right)
    if a._sign != b._sign:
        return -1 if a._sign else 1
    way = -1 if a._sign else 1
    left, right = a.adjusted(), b.adjusted()
    if left != right:
        return way if left > right else -way
    left, right = a._int, b._int
    if a._exp > b._exp:
        left *= 10 ** (a._exp - b._exp)
    else:
        right *= 10 ** (b._exp - a._exp)
    return way * ((left > right) - (left < right))


def _exp_of(n, digits):
    # e to the power of n / 10**digits, times 10**digits.
    halvings = 8 + max(n.bit_length() - (10 ** digits).bit_length(), 0) + _isqrt(digits) // 2
    extra = halvings // 3 + 6
    scale = 10 ** (digits + extra)
    x = n * 10 ** extra >> halvings
    term = total = scale
    count = 1
    while term:
        term = term * x // (scale * count)
        total += term
        count += 1
    for _ in range(halvings):
        total = total * total // scale
    return total // 10 ** extra


def _ln_of(n, digits):
    # The logarithm of n / 10**digits, times 10**digits, for what is between 1 and 10.
    roots = 8 + _isqrt(digits) // 2
    extra = roots // 3 + 8
    scale = 10 ** (digits + extra)
    x = n * 10 ** extra
    for _ in range(roots):
        x = _isqrt(x * scale)
    z = (x - scale) * scale // (x + scale)
    square = z * z // scale
    power = total = z
    count = 3
    while power:
        power = power * square // scale
        total += power // count
        count += 2
    return (total << roots + 1) // 10 ** extra


def _settled(find, context):
    # A number that is known to any precision, to so many digits that rounding it once is right: more are asked for until what
    # is cut off is no tie. What still looks like one after that is one.
    guard = 4
    while guard < 80:
        coefficient, exponent = find(context._prec + guard)
        length = _length(coefficient)
        cut = length - context._prec
        if cut > 2:
            rest = coefficient % 10 ** cut
            unit = 10 ** cut
            if all([abs(rest * 2 - middle * unit) > 40 for middle in (0, 1, 2)]):
                break
        guard += 4 + guard
    else:
        unit = 10 ** (cut - 20)
        coefficient = (coefficient + unit // 2) // unit * unit
    return coefficient, exponent


def _logarithm(number, digits):
    # The logarithm times 10**digits, of a number that is more than 0.
    adjusted = number.adjusted()
    shift = digits - _length(number._int) + 1
    n = number._int * 10 ** shift if shift >= 0 else number._int // 10 ** -shift
    result = _ln_of(n, digits)
    return result + adjusted * _ln_of(10 ** (digits + 1), digits) if adjusted else result
