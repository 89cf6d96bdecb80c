# Time as the policy's clock has it. The zone is UTC, nothing sleeps.

timezone = 0
altzone = 0
daylight = 0
tzname = ('UTC', 'UTC')

_FIELDS = ('tm_year', 'tm_mon', 'tm_mday', 'tm_hour', 'tm_min', 'tm_sec', 'tm_wday', 'tm_yday', 'tm_isdst')
_started = []


class struct_time(tuple):
    __slots__ = ()

    def __new__(cls, sequence=()):
        items = tuple(sequence)
        if len(items) < 9:
            raise TypeError(f'time.struct_time() takes an at least 9-sequence ({len(items)}-sequence given)')
        if len(items) > 11:
            raise TypeError(f'time.struct_time() takes an at most 11-sequence ({len(items)}-sequence given)')
        return tuple.__new__(cls, items[:9])

    tm_year = property(lambda self: self[0])
    tm_mon = property(lambda self: self[1])
    tm_mday = property(lambda self: self[2])
    tm_hour = property(lambda self: self[3])
    tm_min = property(lambda self: self[4])
    tm_sec = property(lambda self: self[5])
    tm_wday = property(lambda self: self[6])
    tm_yday = property(lambda self: self[7])
    tm_isdst = property(lambda self: self[8])
    tm_zone = property(lambda self: 'UTC')
    tm_gmtoff = property(lambda self: 0)

    def __repr__(self):
        return 'time.struct_time(' + ', '.join([f'{name}={value}' for name, value in zip(_FIELDS, self)]) + ')'


def time_ns():
    return _clock()


def time():
    return _clock() / 1000000000


def monotonic_ns():
    # Since the first time that anything asked.
    now = _clock()
    if not _started:
        _started.append(now)
    return max(now - _started[0], 0)


def monotonic():
    return monotonic_ns() / 1000000000


perf_counter = monotonic
perf_counter_ns = monotonic_ns


def _fields(seconds):
    if seconds is None:
        seconds = _clock() // 1000000000
    elif isinstance(seconds, float):
        seconds = int(seconds // 1)
    else:
        seconds = _index(seconds)
    days, rest = divmod(seconds, 86400)
    if not -719162 <= days <= 2932896:
        raise OverflowError('timestamp out of range for platform time_t')
    year, month, day = _from_ordinal(days + 719163)
    return struct_time((year, month, day, rest // 3600, rest // 60 % 60, rest % 60, (days + 3) % 7,
                        _day_of_year(year, month, day), 0))


def gmtime(secs=None, /):
    return _fields(secs)


def localtime(secs=None, /):
    return _fields(secs)


def _checked(t):
    if t is None:
        t = _fields(None)
    elif not isinstance(t, tuple):
        raise TypeError('Tuple or struct_time argument required')
    if len(t) != 9:
        raise TypeError(f'strftime(): illegal time tuple argument')
    year, month, day, hour, minute, second, weekday, yearday, dst = [_index(field) for field in t]
    month = month or 1
    day = day or 1
    yearday = yearday or 1
    if not 1 <= month <= 12:
        raise ValueError('month out of range')
    if not 1 <= day <= 31:
        raise ValueError('day of month out of range')
    if not 0 <= hour <= 23:
        raise ValueError('hour out of range')
    if not 0 <= minute <= 59:
        raise ValueError('minute out of range')
    if not 0 <= second <= 61:
        raise ValueError('seconds out of range')
    if weekday < -1:
        raise ValueError('day of week out of range')
    if not 1 <= yearday <= 366:
        raise ValueError('day of year out of range')
    if not 1 <= year <= 9999:
        raise ValueError('year out of range')
    return year, month, day, hour, minute, second, weekday % 7, yearday


def mktime(t, /):
    if not isinstance(t, tuple):
        raise TypeError('Tuple or struct_time argument required')
    if len(t) != 9:
        raise TypeError('mktime(): illegal time tuple argument')
    year, month, day, hour, minute, second, _, _, _ = [_index(field) for field in t]
    more, month = divmod(month - 1, 12)
    if not -9999 <= year + more <= 9999:
        raise OverflowError('mktime argument out of range')
    days = _days_before_year(year + more) + _day_of_year(year + more, month + 1, 1) - 1 + day - 719163
    return float(days * 86400 + hour * 3600 + minute * 60 + second)


def asctime(t=None, /):
    return _format('%a %b %e %H:%M:%S %Y', _checked(t), None, '', '')


def ctime(secs=None, /):
    return asctime(_fields(secs))


def strftime(format, t=None, /):
    return _format(format, _checked(t), None, '+0000', 'UTC')


def strptime(string, format='%a %b %d %H:%M:%S %Y', /):
    at, _, _, _, zone = _parse(string, format)
    return struct_time((*at, -1 if zone is None else 0))
