# Dates with times of day.


class datetime(date):
    __slots__ = ('_time', '_tzinfo', '_fold')

    def __init__(self, year, month, day, hour=0, minute=0, second=0, microsecond=0, tzinfo=None, *, fold=0):
        self._date = _date_fields(year, month, day)
        self._time = _time_fields(hour, minute, second, microsecond)
        self._tzinfo = _check_zone(tzinfo)
        self._fold = _check_fold(fold)

    @classmethod
    def fromtimestamp(cls, timestamp, tz=None):
        if tz is None:
            return cls(*_of_timestamp(timestamp))
        return _check_zone(tz).fromutc(cls(*_of_timestamp(timestamp), tz))

    @classmethod
    def utcfromtimestamp(cls, timestamp, /):
        return cls(*_of_timestamp(timestamp))

    @classmethod
    def now(cls, tz=None):
        here = cls(*_of_micros(_now() // 1000 + 62135596800000000), tz)
        return here if tz is None else tz.fromutc(here)

    @classmethod
    def utcnow(cls):
        return cls.now()

    @classmethod
    def today(cls):
        return cls.now()

    @classmethod
    def combine(cls, date, time, tzinfo=True):
        if not isinstance(date, _date_class):
            raise TypeError(f'combine() argument 1 must be datetime.date, not {_class_name(date)}')
        if not isinstance(time, _time_class):
            raise TypeError(f'combine() argument 2 must be datetime.time, not {_class_name(time)}')
        return cls(*date._date, *time._time, time._tzinfo if tzinfo is True else tzinfo, fold=time._fold)

    @classmethod
    def fromisoformat(cls, date_string, /):
        if not isinstance(date_string, str):
            raise TypeError('fromisoformat: argument must be str')
        for length in (10, 8, 7):
            if len(date_string) == length or len(date_string) > length + 1:
                day = _iso_date(date_string[:length])
                if day is None or date_string[length:length + 1].isdigit():
                    continue
                clock = (0, 0, 0, 0) if len(date_string) == length else _iso_time(date_string[length + 1:])
                if clock is not None:
                    return cls(*day, *clock)
        raise _bad_iso(date_string)

    @classmethod
    def strptime(cls, date_string, format, /):
        at, micro, offset, offset_micro, name = _parse(date_string, format)
        zone = None
        if offset is not None:
            delta = timedelta(seconds=offset, microseconds=offset_micro)
            zone = timezone(delta, name) if name else timezone(delta) if delta else UTC
        return cls(*at[:6], micro, zone)

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
        return _call_offset(self._tzinfo, 'utcoffset', self)

    def dst(self):
        return _call_offset(self._tzinfo, 'dst', self)

    def tzname(self):
        return _call_name(self._tzinfo, self)

    def date(self):
        return _date_class(*self._date)

    def time(self):
        return _time_class(*self._time, fold=self._fold)

    def timetz(self):
        return _time_class(*self._time, self._tzinfo, fold=self._fold)

    def timetuple(self):
        saving = self.dst()
        return _struct((*self._date, *self._time[:3]), -1 if saving is None else 1 if saving else 0)

    def utctimetuple(self):
        offset = self.utcoffset()
        at = self - offset if offset else self
        return _struct((*at._date, *at._time[:3]), 0)

    def timestamp(self):
        offset = self.utcoffset()
        us = self._micros() - 62135596800000000
        return (us if offset is None else us - offset._us) / 1000000

    def astimezone(self, tz=None):
        if tz is None:
            tz = UTC
        elif not isinstance(tz, tzinfo):
            raise TypeError(f"tz argument must be an instance of tzinfo")
        if tz is self._tzinfo:
            return self
        offset = self.utcoffset()
        utc = self if offset is None else self - offset
        return tz.fromutc(utc.replace(tzinfo=tz))

    def replace(self, year=None, month=None, day=None, hour=None, minute=None, second=None, microsecond=None,
                tzinfo=True, *, fold=None):
        given = year, month, day, hour, minute, second, microsecond
        fields = [old if new is None else new for old, new in zip(self._date + self._time, given)]
        return type(self)(*fields, self._tzinfo if tzinfo is True else tzinfo,
                          fold=self._fold if fold is None else fold)

    def isoformat(self, sep='T', timespec='auto'):
        if not isinstance(sep, str) or len(sep) != 1:
            raise TypeError('isoformat() argument 1 must be a unicode character, not ' + _class_name(sep))
        offset = self.utcoffset()
        text = '%04d-%02d-%02d' % self._date + sep + _clock_text(*self._time, timespec)
        return text if offset is None else text + _offset_text(offset._us)

    def strftime(self, format):
        offset = self.utcoffset()
        zone = '' if offset is None else _offset_text(offset._us, '')
        at = _struct((*self._date, *self._time[:3]), -1)
        return _format(format, at, self._time[3], zone, self.tzname() or '')

    def __str__(self):
        return self.isoformat(' ')

    def __repr__(self):
        fields = [*self._date, *self._time]
        if fields[6] == 0:
            del fields[6]
            if fields[5] == 0:
                del fields[5]
        text = ', '.join([str(field) for field in fields])
        if self._tzinfo is not None:
            text += f', tzinfo={self._tzinfo!r}'
        if self._fold:
            text += f', fold={self._fold}'
        return f'{_full_name(self)}({text})'

    def _micros(self):
        hour, minute, second, micro = self._time
        seconds = (_ordinal(*self._date) - 1) * 86400 + (hour * 60 + minute) * 60 + second
        return seconds * 1000000 + micro

    def __add__(self, other):
        if not isinstance(other, timedelta):
            return NotImplemented
        us = self._micros() + other._us
        if not 0 <= us < 315537897600000000:
            raise OverflowError('date value out of range')
        return type(self)(*_of_micros(us), self._tzinfo)

    __radd__ = __add__

    def __sub__(self, other):
        if isinstance(other, timedelta):
            return self + _delta(-other._us)
        if not isinstance(other, datetime):
            return NotImplemented
        mine, theirs = self.utcoffset(), other.utcoffset()
        us = self._micros() - other._micros()
        if self._tzinfo is other._tzinfo:
            return _delta(us)
        if (mine is None) != (theirs is None):
            raise TypeError("can't subtract offset-naive and offset-aware datetimes")
        return _delta(us) if mine is None else _delta(us - mine._us + theirs._us)

    def _compare(self, other):
        # How far it is from another one; None if one has a zone and the other has not.
        if self._tzinfo is other._tzinfo:
            return self._micros() - other._micros()
        mine, theirs = self.utcoffset(), other.utcoffset()
        if (mine is None) != (theirs is None):
            return None
        us = self._micros() - other._micros()
        return us if mine is None else us - mine._us + theirs._us

    def _order(self, other):
        distance = self._compare(other)
        if distance is None:
            raise TypeError("can't compare offset-naive and offset-aware datetimes")
        return distance

    def __eq__(self, other):
        return self._compare(other) == 0 if isinstance(other, datetime) else NotImplemented

    def __lt__(self, other):
        return self._order(other) < 0 if isinstance(other, datetime) else _no_order(self, other)

    def __le__(self, other):
        return self._order(other) <= 0 if isinstance(other, datetime) else _no_order(self, other)

    def __gt__(self, other):
        return self._order(other) > 0 if isinstance(other, datetime) else _no_order(self, other)

    def __ge__(self, other):
        return self._order(other) >= 0 if isinstance(other, datetime) else _no_order(self, other)

    def __hash__(self):
        offset = self.utcoffset()
        return hash((offset is None, self._micros() - (0 if offset is None else offset._us)))


def _no_order(mine, other):
    if isinstance(other, date):
        raise TypeError(f"can't compare {_full_name(mine)} to {_full_name(other)}")
    return NotImplemented


_date_class = date
_time_class = time
datetime.min = datetime(1, 1, 1)
datetime.max = datetime(9999, 12, 31, 23, 59, 59, 999999)
datetime.resolution = timedelta(microseconds=1)
