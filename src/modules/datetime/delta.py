# Differences between dates and times, and zones.

from time import struct_time as _struct_time, time_ns as _now

MINYEAR = 1
MAXYEAR = 9999


def _round(numerator, denominator):
    # The nearest int, or the even one of two.
    quotient, rest = divmod(numerator, denominator)
    rest *= 2
    if rest > denominator or rest == denominator and quotient % 2:
        quotient += 1
    return quotient


def _micros(value, unit, name):
    # A part of a timedelta as a ratio of microseconds.
    if isinstance(value, int):
        return value * unit, 1
    if isinstance(value, float):
        if value != value:
            raise ValueError('cannot convert float NaN to integer')
        if value - value != 0:
            raise OverflowError('cannot convert float infinity to integer')
        numerator, denominator = value.as_integer_ratio()
        return numerator * unit, denominator
    raise TypeError(f'unsupported type for timedelta {name} component: {_class_name(value)}')


class timedelta:
    __slots__ = ('_us',)

    def __init__(self, days=0, seconds=0, microseconds=0, milliseconds=0, minutes=0, hours=0, weeks=0):
        us = 0
        fraction, denominator = 0, 1
        for value, unit, name in ((days, 86400000000, 'days'), (seconds, 1000000, 'seconds'),
                                  (microseconds, 1, 'microseconds'), (milliseconds, 1000, 'milliseconds'),
                                  (minutes, 60000000, 'minutes'), (hours, 3600000000, 'hours'),
                                  (weeks, 604800000000, 'weeks')):
            if value == 0 and isinstance(value, int):
                continue
            n, d = _micros(value, unit, name)
            whole, rest = divmod(n, d)
            us += whole
            if rest:
                # All denominators are powers of two.
                if d > denominator:
                    fraction, denominator = fraction * (d // denominator) + rest, d
                else:
                    fraction += rest * (denominator // d)
        us = _round(us * denominator + fraction, denominator)
        if not -86399999913600000000 <= us < 86400000000000000000:
            if not -1 << 80 < us < 1 << 80:
                raise OverflowError('Python int too large to convert to C int')
            raise OverflowError(f'days={us // 86400000000}; must have magnitude <= 999999999')
        self._us = us

    @property
    def days(self):
        return self._us // 86400000000

    @property
    def seconds(self):
        return self._us // 1000000 % 86400

    @property
    def microseconds(self):
        return self._us % 1000000

    def total_seconds(self):
        return self._us / 1000000

    def __repr__(self):
        parts = []
        if self.days:
            parts.append(f'days={self.days}')
        if self.seconds:
            parts.append(f'seconds={self.seconds}')
        if self.microseconds:
            parts.append(f'microseconds={self.microseconds}')
        return f"{_full_name(self)}({', '.join(parts) or '0'})"

    def __str__(self):
        days, seconds, micro = self.days, self.seconds, self.microseconds
        text = f'{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}'
        if days:
            text = f"{days} day{'' if abs(days) == 1 else 's'}, {text}"
        return f'{text}.{micro:06}' if micro else text

    def __add__(self, other):
        return _delta(self._us + other._us) if isinstance(other, timedelta) else NotImplemented

    __radd__ = __add__

    def __sub__(self, other):
        return _delta(self._us - other._us) if isinstance(other, timedelta) else NotImplemented

    def __rsub__(self, other):
        return _delta(other._us - self._us) if isinstance(other, timedelta) else NotImplemented

    def __mul__(self, other):
        if isinstance(other, int):
            return _delta(self._us * other)
        if isinstance(other, float):
            n, d = other.as_integer_ratio()
            return _delta(_round(self._us * n, d))
        return NotImplemented

    __rmul__ = __mul__

    def __floordiv__(self, other):
        if isinstance(other, timedelta):
            return self._us // other._us
        return _delta(self._us // other) if isinstance(other, int) else NotImplemented

    def __truediv__(self, other):
        if isinstance(other, timedelta):
            return self._us / other._us
        if isinstance(other, int):
            n, d = self._us, other
        elif isinstance(other, float):
            d, n = other.as_integer_ratio()
            n *= self._us
        else:
            return NotImplemented
        return _delta(_round(-n, -d) if d < 0 else _round(n, d))

    def __mod__(self, other):
        return _delta(self._us % other._us) if isinstance(other, timedelta) else NotImplemented

    def __divmod__(self, other):
        if not isinstance(other, timedelta):
            return NotImplemented
        quotient, rest = divmod(self._us, other._us)
        return quotient, _delta(rest)

    def __neg__(self):
        return _delta(-self._us)

    def __pos__(self):
        return _delta(self._us)

    def __abs__(self):
        return _delta(abs(self._us))

    def __bool__(self):
        return self._us != 0

    def __eq__(self, other):
        return self._us == other._us if isinstance(other, timedelta) else NotImplemented

    def __lt__(self, other):
        return self._us < other._us if isinstance(other, timedelta) else NotImplemented

    def __le__(self, other):
        return self._us <= other._us if isinstance(other, timedelta) else NotImplemented

    def __gt__(self, other):
        return self._us > other._us if isinstance(other, timedelta) else NotImplemented

    def __ge__(self, other):
        return self._us >= other._us if isinstance(other, timedelta) else NotImplemented

    def __hash__(self):
        return hash(self._us)

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self


def _delta(us):
    return timedelta(0, 0, us)


timedelta.min = timedelta(-999999999)
timedelta.max = timedelta(days=999999999, hours=23, minutes=59, seconds=59, microseconds=999999)
timedelta.resolution = timedelta(microseconds=1)


def _full_name(object):
    cls = _class(object)
    return f"{_getattr(cls, '__module__')}.{_getattr(cls, '__qualname__')}"


def _offset_text(us, sep=':'):
    sign = '+'
    if us < 0:
        sign = '-'
        us = -us
    seconds, micro = divmod(us, 1000000)
    text = f'{sign}{seconds // 3600:02}{sep}{seconds // 60 % 60:02}'
    if seconds % 60 or micro:
        text += f'{sep}{seconds % 60:02}'
    return f'{text}.{micro:06}' if micro else text


class tzinfo:
    def tzname(self, dt):
        raise NotImplementedError('a tzinfo subclass must implement tzname()')

    def utcoffset(self, dt):
        raise NotImplementedError('a tzinfo subclass must implement utcoffset()')

    def dst(self, dt):
        raise NotImplementedError('a tzinfo subclass must implement dst()')

    def fromutc(self, dt):
        if not isinstance(dt, datetime):
            raise TypeError('fromutc: argument must be a datetime')
        if dt.tzinfo is not self:
            raise ValueError('fromutc: dt.tzinfo is not self')
        offset = dt.utcoffset()
        if offset is None:
            raise ValueError('fromutc: non-None utcoffset() result required')
        saving = dt.dst()
        if saving is None:
            raise ValueError('fromutc: non-None dst() result required')
        delta = offset - saving
        if delta:
            dt += delta
            saving = dt.dst()
            if saving is None:
                raise ValueError('fromutc(): dt.dst gave inconsistent results; cannot convert')
        return dt + saving


class timezone(tzinfo):
    __slots__ = ('_delta', '_name')

    def __init__(self, offset, name=None):
        if not isinstance(offset, timedelta):
            raise TypeError('timezone() argument 1 must be datetime.timedelta, not ' + _class_name(offset))
        if name is not None and not isinstance(name, str):
            raise TypeError('timezone() argument 2 must be str, not ' + _class_name(name))
        if not -86400000000 < offset._us < 86400000000:
            raise ValueError('offset must be a timedelta strictly between -timedelta(hours=24) and '
                             f'timedelta(hours=24), not {offset!r}.')
        self._delta = offset
        self._name = name

    def utcoffset(self, dt):
        _need_datetime(dt, 'utcoffset')
        return self._delta

    def tzname(self, dt):
        _need_datetime(dt, 'tzname')
        return str(self)

    def dst(self, dt):
        _need_datetime(dt, 'dst')
        return None

    def fromutc(self, dt):
        if not isinstance(dt, datetime):
            raise TypeError('fromutc: argument must be a datetime instance, not ' + _class_name(dt))
        if dt.tzinfo is not self:
            raise ValueError('fromutc: dt.tzinfo is not self')
        return dt + self._delta

    def __eq__(self, other):
        return self._delta == other._delta if isinstance(other, timezone) else NotImplemented

    def __hash__(self):
        return hash(self._delta)

    def __repr__(self):
        if self._name is None and not self._delta and type(self) is timezone:
            return 'datetime.timezone.utc'
        name = '' if self._name is None else f', {self._name!r}'
        return f'{_full_name(self)}({self._delta!r}{name})'

    def __str__(self):
        if self._name is not None:
            return self._name
        return f'UTC{_offset_text(self._delta._us)}' if self._delta else 'UTC'

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self


def _need_datetime(dt, name):
    if dt is not None and not isinstance(dt, datetime):
        raise TypeError(f'{name}(dt) argument must be a datetime instance or None, not {_class_name(dt)}')


UTC = timezone.utc = timezone(timedelta(0))
timezone.min = timezone(-timedelta(hours=23, minutes=59))
timezone.max = timezone(timedelta(hours=23, minutes=59))


def _call_offset(zone, name, dt):
    if zone is None:
        return None
    offset = zone.utcoffset(dt) if name == 'utcoffset' else zone.dst(dt)
    if offset is None:
        return None
    if not isinstance(offset, timedelta):
        raise TypeError(f'tzinfo.{name}() must return None or a timedelta, not {_class_name(offset)!r}')
    if not -86400000000 < offset._us < 86400000000:
        raise ValueError('offset must be a timedelta strictly between -timedelta(hours=24) and timedelta(hours=24).')
    return offset


def _call_name(zone, dt):
    if zone is None:
        return None
    name = zone.tzname(dt)
    if name is not None and not isinstance(name, str):
        raise TypeError(f'tzinfo.tzname() must return None or a string, not {_class_name(name)!r}')
    return name
