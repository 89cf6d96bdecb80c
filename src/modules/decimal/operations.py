# What is done with decimal numbers.

from math import gcd as _gcd


def _binary(method, a, b):
    a, b = _converted(a), _converted(b)
    return NotImplemented if a is None or b is None else method(a, b, getcontext())


class _Operations:
    __slots__ = ()

    def __add__(self, other):
        return _binary(Decimal._plus, self, other)

    def __radd__(self, other):
        return _binary(Decimal._plus, other, self)

    def __sub__(self, other):
        return _binary(_minus, self, other)

    def __rsub__(self, other):
        return _binary(_minus, other, self)

    def __mul__(self, other):
        return _binary(Decimal._times, self, other)

    def __rmul__(self, other):
        return _binary(Decimal._times, other, self)

    def __truediv__(self, other):
        return _binary(Decimal._over, self, other)

    def __rtruediv__(self, other):
        return _binary(Decimal._over, other, self)

    def __floordiv__(self, other):
        return _binary(_floor_over, self, other)

    def __rfloordiv__(self, other):
        return _binary(_floor_over, other, self)

    def __mod__(self, other):
        return _binary(Decimal._rest_over, self, other)

    def __rmod__(self, other):
        return _binary(Decimal._rest_over, other, self)

    def __divmod__(self, other):
        return _binary(_divmod, self, other)

    def __rdivmod__(self, other):
        return _binary(_divmod, other, self)

    def __pow__(self, other):
        return _binary(Decimal._to_power, self, other)

    def __rpow__(self, other):
        return _binary(Decimal._to_power, other, self)

    def _plus(self, other, context):
        found = _not_a_number(self, other, context)
        if found is not None:
            return found
        if self._special:
            if other._special and self._sign != other._sign:
                return _invalid(context)
            return self
        if other._special:
            return other
        exponent = min(self._exp, other._exp)
        if not self._int and not other._int:
            floor = context._rounding == ROUND_FLOOR
            sign = 1 if self._sign and other._sign or floor and self._sign != other._sign else 0
            return _fixed(_made(sign, 0, exponent), context)
        if not self._int or not other._int:
            kept = other if not self._int else self
            exponent = max(exponent, kept._exp - context._prec - 1)
            if exponent > kept._exp:
                exponent = kept._exp
            return _fixed(_made(kept._sign, kept._int * 10 ** (kept._exp - exponent), exponent), context)
        large, small = (self, other) if self._exp >= other._exp else (other, self)
        # What is far below the last digit counts as one there.
        least = large._exp + min(-1, _length(large._int) - context._prec - 2)
        low, low_exp = small._int, small._exp
        if _length(low) + low_exp - 1 < least:
            low, low_exp = 1, least
        high = large._int * 10 ** (large._exp - low_exp)
        total = (-high if large._sign else high) + (-low if small._sign else low)
        if total == 0:
            return _fixed(_made(1 if context._rounding == ROUND_FLOOR else 0, 0, exponent), context)
        return _fixed(_made(1 if total < 0 else 0, abs(total), low_exp), context)

    def _times(self, other, context):
        found = _not_a_number(self, other, context)
        if found is not None:
            return found
        sign = self._sign ^ other._sign
        if self._special or other._special:
            if not self or not other:
                return _invalid(context)
            return _made(sign, 0, 0, 'F')
        return _fixed(_made(sign, self._int * other._int, self._exp + other._exp), context)

    def _over(self, other, context):
        found = _not_a_number(self, other, context)
        if found is not None:
            return found
        sign = self._sign ^ other._sign
        if self._special:
            return _invalid(context) if other._special else _made(sign, 0, 0, 'F')
        if other._special:
            _signal(context, Clamped)
            return _made(sign, 0, context.Etiny())
        if not other._int:
            if not self._int:
                return _invalid(context, _DivisionUndefined)
            _signal(context, DivisionByZero)
            return _made(sign, 0, 0, 'F')
        ideal = self._exp - other._exp
        if not self._int:
            return _fixed(_made(sign, 0, ideal), context)
        shift = _length(other._int) - _length(self._int) + context._prec + 1
        exponent = ideal - shift
        if shift >= 0:
            quotient, rest = divmod(self._int * 10 ** shift, other._int)
        else:
            quotient, rest = divmod(self._int, other._int * 10 ** -shift)
        if rest:
            if quotient % 5 == 0:
                quotient += 1
        else:
            while exponent < ideal and quotient % 10 == 0:
                quotient //= 10
                exponent += 1
        return _fixed(_made(sign, quotient, exponent), context)

    def _whole_over(self, other, context):
        # The quotient, cut to an integer, and the rest, neither of them rounded.
        found = _not_a_number(self, other, context)
        if found is not None:
            return found, found
        sign = self._sign ^ other._sign
        if self._special:
            if other._special:
                wrong = _invalid(context)
                return wrong, wrong
            return _made(sign, 0, 0, 'F'), _invalid(context)
        if not other._special and not other._int:
            if not self._int:
                wrong = _invalid(context, _DivisionUndefined)
                return wrong, wrong
            wrong = _invalid(context)
            _signal(context, DivisionByZero)
            return _made(sign, 0, 0, 'F'), wrong
        exponent = self._exp if other._special else min(self._exp, other._exp)
        distance = self.adjusted() - other.adjusted()
        if not self._int or other._special or distance <= -2:
            rest = self._int * 10 ** (self._exp - exponent) if self._int else 0
            return _made(sign, 0, 0), _made(self._sign, rest, exponent)
        if distance <= context._prec:
            a = self._int * 10 ** (self._exp - exponent)
            b = other._int * 10 ** (other._exp - exponent)
            quotient, rest = divmod(a, b)
            if quotient < 10 ** context._prec:
                return _made(sign, quotient, 0), _made(self._sign, rest, exponent)
        wrong = _invalid(context, _DivisionImpossible)
        return wrong, wrong

    def _rest_over(self, other, context):
        if not self._special and not other._special and self._int and not other._int:
            return _invalid(context)
        return _fixed(self._whole_over(other, context)[1], context)

    def remainder_near(self, other, context=None):
        context = _context(context)
        other = _number(other)
        if not self._special and not other._special and self._int and not other._int:
            return _invalid(context)
        whole, rest = self._whole_over(other, context)
        if whole._special or rest._special or other._special:
            return _fixed(rest, context)
        exponent = min(rest._exp, other._exp)
        a, b = rest._int * 10 ** (rest._exp - exponent), other._int * 10 ** (other._exp - exponent)
        if a * 2 > b or a * 2 == b and whole._int % 2:
            return _fixed(_made(1 - rest._sign, b - a, exponent), context)
        return _fixed(rest, context)

    def fma(self, other, third, context=None):
        other, third = _number(other), _number(third)
        exact = _made(self._sign ^ other._sign, self._int * other._int, self._exp + other._exp)
        if self._special or other._special:
            exact = self._times(other, _context(context))
        return exact._plus(third, _context(context))

    def _to_power(self, other, context):
        found = _not_a_number(self, other, context)
        if found is not None:
            return found
        if not other:
            return _invalid(context) if not self else Decimal(1)
        whole = other._special is None and (other._exp >= 0 or other._int % 10 ** min(-other._exp, 4301) == 0)
        odd = whole and other._exp <= 0 and other._int // 10 ** -other._exp % 2 == 1
        sign = 1 if self._sign and odd else 0
        if self._sign and self and not whole and other._special is None:
            return _invalid(context)
        if self._sign and self._special is None and self._int and other._special:
            return _invalid(context)
        if not self:
            return _made(sign, 0, 0, 'F') if other._sign else _made(sign, 0, 0)
        if self._special:
            return _made(sign, 0, 0) if other._sign else _made(sign, 0, 0, 'F')
        base = self.copy_abs()
        one = _order(base, Decimal(1))
        if other._special:
            return Decimal(1) if one == 0 else _made(0, 0, 0, 'F') if (one > 0) != bool(other._sign) else Decimal(0)
        if one == 0 and not whole or one == 0 and base._exp == 0:
            _flag(context, *([] if whole else [Inexact, Rounded]))
            filled = not whole
            return _made(sign, 10 ** (context._prec - 1), 1 - context._prec) if filled else _made(sign, 1, 0)
        if other.adjusted() > 20:
            # Over or under whatever any context has.
            if one == 0:
                return _fixed(_made(sign, 10 ** (context._prec - 1), 1 - context._prec), context)
            beyond = MAX_EMAX * 2 if (one > 0) != bool(other._sign) else -MAX_EMAX * 2
            return _half_even(_made(sign, 1, beyond), context)
        if not whole:
            return _half_even(_made(0, *_settled(_power_finder(base, other), context)), context)
        n = abs(int(other))
        work = _plain_context(min(context._prec + _length(n) + 5, MAX_PREC + 50), ROUND_HALF_EVEN, -MAX_EMAX * 4,
                              MAX_EMAX * 4, [])
        if other._sign:
            base = Decimal(1)._over(base, work)
        result = Decimal(1)
        for bit in f'{n:b}':
            result = result._times(result, work)
            if bit == '1':
                result = result._times(base, work)
            if result._special or not result._int or abs(result.adjusted()) > MAX_EMAX * 3:
                high = result._special or result._int and result.adjusted() > 0
                if high:
                    return _overflow(sign, context)
                return _half_even(_made(sign, 1, -MAX_EMAX * 2), context)
        return _fixed(_made(sign, result._int, result._exp), context)

    def sqrt(self, context=None):
        context = _context(context)
        found = _not_a_number(self, None, context)
        if found is not None:
            return found
        if self._special and not self._sign:
            return self
        if not self:
            return _fixed(_made(self._sign, 0, self._exp // 2), context)
        if self._sign:
            return _invalid(context)
        exponent, n = self._exp >> 1, self._int
        if self._exp & 1:
            n *= 10
        shift = context._prec + 1 - (_length(self._int) + 2 >> 1 if self._exp & 1 else _length(self._int) + 1 >> 1)
        shift = max(shift, 0)
        root = _isqrt(n * 100 ** shift)
        if root * root == n * 100 ** shift:
            while shift and root % 10 == 0:
                root //= 10
                shift -= 1
        else:
            root = root * 10 + 1
            shift += 1
        work = context.copy()
        work.rounding = ROUND_HALF_EVEN
        result = _fixed(_made(0, root, exponent - shift), work)
        context._flags.update({signal: True for signal in _SIGNALS if work._flags[signal]})
        return result

    def exp(self, context=None):
        context = _context(context)
        found = _not_a_number(self, None, context)
        if found is not None:
            return found
        if self._special:
            return Decimal(0) if self._sign else self
        if not self:
            return Decimal(1)
        if self.adjusted() > 8:
            return _half_even(_made(0, 1, -MAX_EMAX * 2 if self._sign else MAX_EMAX * 2), context)
        if self.adjusted() < -context._prec - 2:
            near = 10 ** (context._prec + 2) + (-1 if self._sign else 1)
            return _half_even(_made(0, near, -context._prec - 2), context)
        return _half_even(_made(0, *_settled(lambda digits: _exp_finder(self, digits), context)), context)

    def ln(self, context=None):
        return self._log(_context(context), False)

    def log10(self, context=None):
        return self._log(_context(context), True)

    def _log(self, context, ten):
        found = _not_a_number(self, None, context)
        if found is not None:
            return found
        if not self:
            return _made(1, 0, 0, 'F')
        if self._sign:
            return _invalid(context)
        if self._special:
            return self
        digits = _length(self._int)
        if self._int == 10 ** (digits - 1) and (ten or self.adjusted() == 0):
            return _half_even(Decimal(self.adjusted()), context)
        near = abs(self._int - 10 ** -self._exp) if self._exp <= 0 and self.adjusted() in (0, -1) else 1
        more = -self._exp - _length(near) + 2 if self._exp < 0 and self.adjusted() in (0, -1) else 0
        sign = 1 if self.adjusted() < 0 else 0

        def find(wanted):
            wanted += more + 6
            value = abs(_logarithm(self, wanted))
            if ten:
                value = value * 10 ** wanted // _ln_of_ten(wanted)
            return value, -wanted

        return _half_even(_made(sign, *_settled(find, context)), context)

    def quantize(self, exp, rounding=None, context=None):
        context = _context(context)
        rounding = context._rounding if rounding is None else rounding
        if rounding not in _ROUNDINGS:
            raise TypeError('valid values for rounding are:\n  [ROUND_CEILING, ROUND_FLOOR, ROUND_UP, ROUND_DOWN,\n'
                            '   ROUND_HALF_UP, ROUND_HALF_DOWN, ROUND_HALF_EVEN,\n   ROUND_05UP]')
        exp = _number(exp)
        found = _not_a_number(self, exp, context)
        if found is not None:
            return found
        if self._special or exp._special:
            return self if self._special and exp._special else _invalid(context)
        if not context.Etiny() <= exp._exp <= context._Emax:
            return _invalid(context)
        if not self._int:
            return _fixed(_made(self._sign, 0, exp._exp), context)
        if self.adjusted() > context._Emax or self.adjusted() - exp._exp + 1 > context._prec:
            return _invalid(context)
        coefficient, inexact = _rescaled(self._sign, self._int, self._exp, exp._exp, rounding)
        if coefficient >= 10 ** context._prec:
            return _invalid(context)
        result = _made(self._sign, coefficient, exp._exp)
        if coefficient and result.adjusted() < context._Emin:
            _signal(context, Subnormal)
        if exp._exp > self._exp:
            if inexact:
                _signal(context, Inexact)
            _signal(context, Rounded)
        return _fixed(result, context)

    def to_integral_value(self, rounding=None, context=None):
        context = _context(context)
        found = _not_a_number(self, None, context)
        if found is not None:
            return found
        if self._special or self._exp >= 0:
            return self
        rounding = context._rounding if rounding is None else rounding
        return _made(self._sign, *_to_exponent(self, 0, rounding))

    to_integral = to_integral_value

    def to_integral_exact(self, rounding=None, context=None):
        context = _context(context)
        result = self.to_integral_value(rounding, context)
        if self._special is None and self._exp < 0 and self._int:
            if _order(self, result):
                _signal(context, Inexact)
            _signal(context, Rounded)
        return result

    def normalize(self, context=None):
        context = _context(context)
        found = _not_a_number(self, None, context)
        if found is not None:
            return found
        result = _fixed(self, context)
        if result._special:
            return result
        if not result._int:
            return _made(result._sign, 0, 0)
        coefficient, exponent = result._int, result._exp
        most = context.Etop() if context._clamp else context._Emax
        while coefficient % 10 == 0 and exponent < most:
            coefficient //= 10
            exponent += 1
        return _made(result._sign, coefficient, exponent)

    def scaleb(self, other, context=None):
        context = _context(context)
        other = _number(other)
        found = _not_a_number(self, other, context)
        if found is not None:
            return found
        if other._special or other._exp != 0 or other._int > 2 * (context._Emax + context._prec):
            return _invalid(context)
        if self._special:
            return self
        return _fixed(_made(self._sign, self._int, self._exp + int(other)), context)

    def logb(self, context=None):
        context = _context(context)
        found = _not_a_number(self, None, context)
        if found is not None:
            return found
        if self._special:
            return self.copy_abs()
        if not self._int:
            _signal(context, DivisionByZero)
            return _made(1, 0, 0, 'F')
        return _fixed(Decimal(self.adjusted()), context)


def _minus(a, b, context):
    found = _not_a_number(a, b, context)
    return a._plus(b.copy_negate(), context) if found is None else found


def _floor_over(a, b, context):
    if not a._special and not b._special and a._int and not b._int:
        _signal(context, DivisionByZero)
        return _made(a._sign ^ b._sign, 0, 0, 'F')
    if a._special == 'F' and b._special is None:
        return _made(a._sign ^ b._sign, 0, 0, 'F')
    return _fixed(a._whole_over(b, context)[0], context)


def _divmod(a, b, context):
    whole, rest = a._whole_over(b, context)
    return _fixed(whole, context), _fixed(rest, context)


def _half_even(number, context):
    # Rounded half to even, whatever the context says.
    rounding = context._rounding
    context._rounding = ROUND_HALF_EVEN
    try:
        return _fixed(number, context)
    finally:
        context._rounding = rounding


def _ln_of_ten(digits):
    return _ln_of(10 ** (digits + 1) // 4, digits) + 2 * _ln_of(2 * 10 ** digits, digits)


def _exp_finder(number, digits):
    # e to a power: the exponent of ten is taken out first.
    work = digits + max(number.adjusted(), 0) + 8
    x = _rescaled(0, number._int, number._exp, -work, ROUND_DOWN)[0]
    x = -x if number._sign else x
    ten = _ln_of_ten(work)
    power, rest = divmod(x, ten)
    return _exp_of(rest, work), power - work


def _power_finder(base, power):
    def find(digits):
        work = digits + max(power.adjusted(), 0) + abs(base.adjusted()).bit_length() + 10
        near = 0
        if base.adjusted() in (0, -1) and base._exp < 0:
            near = -base._exp
        work += near
        logarithm = _logarithm(base, work)
        product = logarithm * (-power._int if power._sign else power._int)
        exponent = power._exp - work
        sign = 1 if product < 0 else 0
        return _exp_finder(_made(sign, abs(product), exponent), digits)

    return find
