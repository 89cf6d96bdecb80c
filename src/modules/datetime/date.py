# Dates and times of day.


def _field(value, low, high, name):
    if isinstance(value, float):
        raise TypeError("'float' object cannot be interpreted as an integer")
    value = _index(value)
    if not low <= value <= high:
        if name in ('year', 'day'):
            raise ValueError(f'year {value} is out of range' if name == 'year' else 'day is out of range for month')
        raise ValueError(f'{name} must be in {low}..{high}')
    return value


def _date_fields(year, month, day):
    year = _field(year, 1, 9999, 'year')
    month = _field(month, 1, 12, 'month')
    return year, month, _field(day, 1, _days_in_month(year, month), 'day')


def _time_fields(hour, minute, second, microsecond):
    return (_field(hour, 0, 23, 'hour'), _field(minute, 0, 59, 'minute'), _field(second, 0, 59, 'second'),
            _field(microsecond, 0, 999999, 'microsecond'))


def _check_zone(zone):
    if zone is not None and not isinstance(zone, tzinfo):
        raise TypeError(f"tzinfo argument must be None or of a tzinfo subclass, not type '{_class_name(zone)}'")
    return zone


def _check_fold(fold):
    if fold not in (0, 1):
        raise ValueError('fold must be either 0 or 1')
    return fold


def _bad_iso(text):
    return ValueError(f'Invalid isoformat string: {text!r}')


def _digits(text):
    return text.isascii() and text.isdigit()


def _iso_date(text):
    # (year, month, day) of an ISO date; None for what is none.
    if _digits(text) and len(text) == 8:
        return int(text[:4]), int(text[4:6]), int(text[6:])
    parts = text.split('-')
    if [len(part) for part in parts] == [4, 2, 2] and all([_digits(part) for part in parts]):
        return tuple([int(part) for part in parts])
    if len(text) not in (7, 8, 10) or not _digits(text[:4]):
        return None
    year, rest = int(text[:4]), text[4:]
    dashed = rest.startswith('-')
    rest = rest[dashed:]
    if not rest.startswith('W') or not _digits(rest[1:3]) or len(rest) < 3:
        return None
    week, rest = int(rest[1:3]), rest[3:]
    day = 1
    if rest:
        if dashed:
            if not rest.startswith('-'):
                return None
            rest = rest[1:]
        if len(rest) != 1 or not _digits(rest):
            return None
        day = int(rest)
    return _from_iso_calendar(year, week, day)


def _from_iso_calendar(year, week, day):
    if not 1 <= year <= 9999:
        raise ValueError(f'Year is out of range: {year}')
    if not 1 <= week <= 52 and not (week == 53 and _iso_calendar(year, 12, 28)[1] == 53):
        raise ValueError(f'Invalid week: {week}')
    if not 1 <= day <= 7:
        raise ValueError(f'Invalid weekday: {day} (range is [1, 7])')
    return _from_ordinal(_first_iso_monday(year) + (week - 1) * 7 + day - 1)


def _iso_clock(text):
    # (hour, minute, second, microsecond) of an ISO time of day; None for what is none.
    fraction = 0
    for mark in '.,':
        if mark in text:
            text, _, digits = text.partition(mark)
            if not _digits(digits) or len(text.replace(':', '')) != 6:
                return None
            fraction = int((digits + '000000')[:6])
            break
    parts = text.split(':') if ':' in text else [text[i:i + 2] for i in range(0, len(text), 2)]
    if not 1 <= len(parts) <= 3 or not all([len(part) == 2 and _digits(part) for part in parts]):
        return None
    return (*[int(part) for part in parts], 0, 0)[:3] + (fraction,)


def _iso_time(text):
    # As `_iso_clock`, with the zone behind.
    clock, sign, offset = text.partition('+')
    if not sign:
        clock, sign, offset = text.partition('-')
    zone = None
    if not sign and clock.endswith(('Z', 'z')):
        clock = clock[:-1]
        zone = UTC
    fields = _iso_clock(clock)
    if fields is None:
        return None
    if sign:
        parts = _iso_clock(offset)
        if parts is None:
            return None
        hours, minutes, seconds, micro = parts
        us = ((hours * 60 + minutes) * 60 + seconds) * 1000000 + micro
        zone = timezone(_delta(-us if sign == '-' else us)) if us else UTC
    return (*fields, zone)


class _IsoDate(tuple):
    __slots__ = ()
    year = property(lambda self: self[0])
    week = property(lambda self: self[1])
    weekday = property(lambda self: self[2])

    def __repr__(self):
        return 'datetime.IsoCalendarDate(year=%d, week=%d, weekday=%d)' % tuple(self)


class date:
    __slots__ = ('_date',)

    def __init__(self, year, month, day):
        self._date = _date_fields(year, month, day)

    @classmethod
    def fromtimestamp(cls, timestamp, /):
        return cls(*_of_timestamp(timestamp)[:3])

    @classmethod
    def today(cls):
        return cls.fromtimestamp(_now() // 1000000000)

    @classmethod
    def fromordinal(cls, n):
        n = _index(n)
        if n < 1:
            raise ValueError('ordinal must be >= 1')
        if n > 3652059:
            raise ValueError('year is out of range')
        return cls(*_from_ordinal(n))

    @classmethod
    def fromisoformat(cls, date_string, /):
        if not isinstance(date_string, str):
            raise TypeError('fromisoformat: argument must be str')
        found = _iso_date(date_string)
        if found is None:
            raise _bad_iso(date_string)
        return cls(*found)

    @classmethod
    def fromisocalendar(cls, year, week, day):
        return cls(*_from_iso_calendar(year, week, day))

    @property
    def year(self):
        return self._date[0]

    @property
    def month(self):
        return self._date[1]

    @property
    def day(self):
        return self._date[2]

    def timetuple(self):
        return _struct((*self._date, 0, 0, 0), -1)

    def toordinal(self):
        return _ordinal(*self._date)

    def weekday(self):
        return (_ordinal(*self._date) + 6) % 7

    def isoweekday(self):
        return self.weekday() + 1

    def isocalendar(self):
        return _IsoDate(_iso_calendar(*self._date))

    def isoformat(self):
        return '%04d-%02d-%02d' % self._date

    def ctime(self):
        return self.strftime('%a %b %e %H:%M:%S %Y')

    def strftime(self, format):
        return _format(format, self.timetuple(), 0, '', '')

    def replace(self, year=None, month=None, day=None):
        y, m, d = self._date
        return type(self)(y if year is None else year, m if month is None else month, d if day is None else day)

    def __format__(self, spec):
        return self.strftime(spec) if spec else str(self)

    def __repr__(self):
        return f'{_full_name(self)}({self.year}, {self.month}, {self.day})'

    def __str__(self):
        return self.isoformat()

    def __add__(self, other):
        if not isinstance(other, timedelta):
            return NotImplemented
        n = self.toordinal() + other.days
        if not 1 <= n <= 3652059:
            raise OverflowError('date value out of range')
        return type(self)(*_from_ordinal(n))

    __radd__ = __add__

    def __sub__(self, other):
        if isinstance(other, timedelta):
            return self + timedelta(-other.days)
        if _is_date(other):
            return timedelta(self.toordinal() - other.toordinal())
        return NotImplemented

    def __eq__(self, other):
        return self._date == other._date if _is_date(other) else NotImplemented

    def __lt__(self, other):
        return self._date < other._date if _is_date(other) else NotImplemented

    def __le__(self, other):
        return self._date <= other._date if _is_date(other) else NotImplemented

    def __gt__(self, other):
        return self._date > other._date if _is_date(other) else NotImplemented

    def __ge__(self, other):
        return self._date >= other._date if _is_date(other) else NotImplemented

    def __hash__(self):
        return hash(self._date)

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self


def _is_date(other):
    return isinstance(other, date) and not isinstance(other, datetime)


date.min = date(1, 1, 1)
date.max = date(9999, 12, 31)
date.resolution = timedelta(days=1)


def _struct(fields, dst):
    year, month, day = fields[:3]
    return _struct_time((*fields, (_ordinal(year, month, day) + 6) % 7, _day_of_year(year, month, day), dst))


def _of_timestamp(timestamp):
    # The fields of a time in UTC.
    if isinstance(timestamp, float):
        if timestamp != timestamp:
            raise ValueError('Invalid value NaN (not a number)')
        if timestamp - timestamp != 0:
            raise OverflowError('cannot convert float infinity to integer')
        n, d = timestamp.as_integer_ratio()
        us = _round(n * 1000000, d)
    else:
        us = _index(timestamp) * 1000000
    return _of_micros(us + 62135596800000000)


def _of_micros(us):
    # The fields of a time that many microseconds after the beginning of year 1.
    days, us = divmod(us, 86400000000)
    if not 0 <= days < 3652059:
        raise ValueError(f'year is out of range')
    seconds, micro = divmod(us, 1000000)
    return (*_from_ordinal(days + 1), seconds // 3600, seconds // 60 % 60, seconds % 60, micro)


def _clock_text(hour, minute, second, micro, timespec):
    if timespec == 'auto':
        timespec = 'microseconds' if micro else 'seconds'
    if timespec == 'hours':
        return f'{hour:02}'
    if timespec == 'minutes':
        return f'{hour:02}:{minute:02}'
    if timespec == 'seconds':
        return f'{hour:02}:{minute:02}:{second:02}'
    if timespec == 'milliseconds':
        return f'{hour:02}:{minute:02}:{second:02}.{micro // 1000:03}'
    if timespec == 'microseconds':
        return f'{hour:02}:{minute:02}:{second:02}.{micro:06}'
    raise ValueError('Unknown timespec value')


class time:
    __slots__ = ('_time', '_tzinfo', '_fold')

    def __init__(self, hour=0, minute=0, second=0, microsecond=0, tzinfo=None, *, fold=0):
        self._time = _time_fields(hour, minute, second, microsecond)
        self._tzinfo = _check_zone(tzinfo)
        self._fold = _check_fold(fold)

    @classmethod
    def fromisoformat(cls, time_string, /):
        if not isinstance(time_string, str):
            raise TypeError('fromisoformat: argument must be str')
        found = _iso_time(time_string.removeprefix('T'))
        if found is None:
            raise _bad_iso(time_string)
        return cls(*found)

    @property
    def hour(self):
        return self._time[0]

    @property
    def minute(self):
        return self._time[1]

    @property
    def second(self):
        return self._time[2]

    @property
    def microsecond(self):
        return self._time[3]

    @property
    def tzinfo(self):
        return self._tzinfo

    @property
    def fold(self):
        return self._fold

    def utcoffset(self):
        return _call_offset(self._tzinfo, 'utcoffset', None)

    def dst(self):
        return _call_offset(self._tzinfo, 'dst', None)

    def tzname(self):
        return _call_name(self._tzinfo, None)

    def isoformat(self, timespec='auto'):
        offset = self.utcoffset()
        return _clock_text(*self._time, timespec) + ('' if offset is None else _offset_text(offset._us))

    def strftime(self, format):
        offset = self.utcoffset()
        zone = '' if offset is None else _offset_text(offset._us, '')
        at = _struct((1900, 1, 1, *self._time[:3]), -1)
        return _format(format, at, self._time[3], zone, self.tzname() or '')

    def replace(self, hour=None, minute=None, second=None, microsecond=None, tzinfo=True, *, fold=None):
        given = hour, minute, second, microsecond
        fields = [old if new is None else new for old, new in zip(self._time, given)]
        return type(self)(*fields, self._tzinfo if tzinfo is True else tzinfo,
                          fold=self._fold if fold is None else fold)

    def __format__(self, spec):
        return self.strftime(spec) if spec else str(self)

    def __str__(self):
        return self.isoformat()

    def __repr__(self):
        hour, minute, second, micro = self._time
        text = f'{hour}, {minute}'
        if second or micro:
            text += f', {second}'
        if micro:
            text += f', {micro}'
        if self._tzinfo is not None:
            text += f', tzinfo={self._tzinfo!r}'
        if self._fold:
            text += f', fold={self._fold}'
        return f'{_full_name(self)}({text})'

    def _key(self):
        offset = self.utcoffset()
        hour, minute, second, micro = self._time
        us = ((hour * 60 + minute) * 60 + second) * 1000000 + micro
        return None if offset is None else offset._us, us

    def _compare(self, other):
        mine, theirs = self._key(), other._key()
        if (mine[0] is None) != (theirs[0] is None):
            raise TypeError("can't compare offset-naive and offset-aware times")
        return mine[1] - (mine[0] or 0), theirs[1] - (theirs[0] or 0)

    def __eq__(self, other):
        if not isinstance(other, time):
            return NotImplemented
        mine, theirs = self._key(), other._key()
        return (mine[0] is None) == (theirs[0] is None) and mine[1] - (mine[0] or 0) == theirs[1] - (theirs[0] or 0)

    def __lt__(self, other):
        if not isinstance(other, time):
            return NotImplemented
        mine, theirs = self._compare(other)
        return mine < theirs

    def __le__(self, other):
        if not isinstance(other, time):
            return NotImplemented
        mine, theirs = self._compare(other)
        return mine <= theirs

    def __gt__(self, other):
        if not isinstance(other, time):
            return NotImplemented
        mine, theirs = self._compare(other)
        return mine > theirs

    def __ge__(self, other):
        if not isinstance(other, time):
            return NotImplemented
        mine, theirs = self._compare(other)
        return mine >= theirs

    def __hash__(self):
        offset, us = self._key()
        return hash((offset is None, us - (offset or 0)))

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self


time.min = time(0, 0, 0)
time.max = time(23, 59, 59, 999999)
time.resolution = timedelta(microseconds=1)
