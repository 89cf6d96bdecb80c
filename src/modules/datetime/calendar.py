# The calendar, and dates to and from text: a part of `time` and of `datetime`.

_DAY_NAMES = ('Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday')
_MONTH_NAMES = ('', 'January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October',
                'November', 'December')
_BEFORE_MONTH = (0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)
_FORMATS = {'c': '%a %b %e %H:%M:%S %Y', 'x': '%m/%d/%y', 'D': '%m/%d/%y', 'X': '%H:%M:%S', 'T': '%H:%M:%S',
            'R': '%H:%M', 'r': '%I:%M:%S %p', 'F': '%Y-%m-%d', 'n': '\n', 't': '\t', '%': '%', 'h': '%b'}


def _is_leap(year):
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _days_in_month(year, month):
    if month == 2:
        return 29 if _is_leap(year) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def _day_of_year(year, month, day):
    return _BEFORE_MONTH[month] + (month > 2 and _is_leap(year)) + day


def _days_before_year(year):
    year -= 1
    return year * 365 + year // 4 - year // 100 + year // 400


def _ordinal(year, month, day):
    return _days_before_year(year) + _day_of_year(year, month, day)


def _from_ordinal(n):
    n -= 1
    n400, n = divmod(n, 146097)
    n100, n = divmod(n, 36524)
    n4, n = divmod(n, 1461)
    n1, n = divmod(n, 365)
    year = n400 * 400 + n100 * 100 + n4 * 4 + n1 + 1
    if n1 == 4 or n100 == 4:
        return year - 1, 12, 31
    month = (n + 50) >> 5
    before = _BEFORE_MONTH[month] + (month > 2 and _is_leap(year))
    if before > n:
        month -= 1
        before -= _days_in_month(year, month)
    return year, month, n - before + 1


def _first_iso_monday(year):
    first = _ordinal(year, 1, 1)
    weekday = (first + 6) % 7
    return first - weekday + (7 if weekday > 3 else 0)


def _iso_calendar(year, month, day):
    monday = _first_iso_monday(year)
    today = _ordinal(year, month, day)
    week, day = divmod(today - monday, 7)
    if week < 0:
        year -= 1
        week, day = divmod(today - _first_iso_monday(year), 7)
    elif week >= 52 and today >= _first_iso_monday(year + 1):
        year += 1
        week = 0
    return year, week + 1, day + 1


def _directive(c, at, micro, zone, zone_name):
    # What stands for a directive at a time (the fields of a struct_time); None for what is none.
    year, month, day, hour, minute, second, weekday, yearday = at[:8]
    if c in _FORMATS:
        return _format(_FORMATS[c], at, micro, zone, zone_name)
    if c == 'Y':
        return str(year)
    if c == 'm':
        return f'{month:02}'
    if c == 'd':
        return f'{day:02}'
    if c == 'e':
        return f'{day:2}'
    if c == 'H':
        return f'{hour:02}'
    if c == 'k':
        return f'{hour:2}'
    if c == 'I':
        return f'{(hour + 11) % 12 + 1:02}'
    if c == 'l':
        return f'{(hour + 11) % 12 + 1:2}'
    if c == 'M':
        return f'{minute:02}'
    if c == 'S':
        return f'{second:02}'
    if c == 'f' and micro is not None:
        return f'{micro:06}'
    if c == 'p':
        return 'AM' if hour < 12 else 'PM'
    if c == 'P':
        return 'am' if hour < 12 else 'pm'
    if c == 'a':
        return _DAY_NAMES[weekday][:3]
    if c == 'A':
        return _DAY_NAMES[weekday]
    if c == 'b':
        return _MONTH_NAMES[month][:3]
    if c == 'B':
        return _MONTH_NAMES[month]
    if c == 'C':
        return f'{year // 100:02}'
    if c == 'y':
        return f'{year % 100:02}'
    if c == 'j':
        return f'{yearday:03}'
    if c == 'u':
        return str(weekday + 1)
    if c == 'w':
        return str((weekday + 1) % 7)
    if c == 'U':
        return f'{(yearday + 6 - (weekday + 1) % 7) // 7:02}'
    if c == 'W':
        return f'{(yearday + 6 - weekday) // 7:02}'
    if c == 'G':
        return str(_iso_calendar(year, month, day)[0])
    if c == 'g':
        return f'{_iso_calendar(year, month, day)[0] % 100:02}'
    if c == 'V':
        return f'{_iso_calendar(year, month, day)[1]:02}'
    if c == 's':
        return str((_ordinal(year, month, day) - 719163) * 86400 + hour * 3600 + minute * 60 + second)
    if c == 'z':
        return zone
    if c == 'Z':
        return zone_name
    return None


def _format(format, at, micro, zone, zone_name):
    parts = []
    done = 0
    while True:
        mark = format.find('%', done)
        if mark < 0 or mark + 1 >= len(format):
            parts.append(format[done:])
            return ''.join(parts)
        parts.append(format[done:mark])
        found = _directive(format[mark + 1], at, micro, zone, zone_name)
        parts.append(format[mark:mark + 2] if found is None else found)
        done = mark + 2


def _any(names):
    return '|'.join(names)


_PATTERNS = {
    'd': r'(?P<d>3[0-1]|[1-2]\d|0[1-9]|[1-9]| [1-9])',
    'f': r'(?P<f>[0-9]{1,6})',
    'H': r'(?P<H>2[0-3]|[0-1]\d|\d)',
    'I': r'(?P<I>1[0-2]|0[1-9]|[1-9])',
    'G': r'(?P<G>\d\d\d\d)',
    'j': r'(?P<j>36[0-6]|3[0-5]\d|[1-2]\d\d|0[1-9]\d|00[1-9]|[1-9]\d|0[1-9]|[1-9])',
    'm': r'(?P<m>1[0-2]|0[1-9]|[1-9])',
    'M': r'(?P<M>[0-5]\d|\d)',
    'S': r'(?P<S>6[0-1]|[0-5]\d|\d)',
    'U': r'(?P<U>5[0-3]|[0-4]\d|\d)',
    'W': r'(?P<W>5[0-3]|[0-4]\d|\d)',
    'w': r'(?P<w>[0-6])',
    'u': r'(?P<u>[1-7])',
    'V': r'(?P<V>5[0-3]|0[1-9]|[1-4]\d|\d)',
    'y': r'(?P<y>\d\d)',
    'Y': r'(?P<Y>\d\d\d\d)',
    'z': r'(?P<z>[+-]\d\d:?[0-5]\d(:?[0-5]\d(\.\d{1,6})?)?|(?-i:Z))',
    'A': '(?P<A>' + _any(_DAY_NAMES) + ')',
    'a': '(?P<a>' + _any([name[:3] for name in _DAY_NAMES]) + ')',
    'B': '(?P<B>' + _any(_MONTH_NAMES[1:]) + ')',
    'b': '(?P<b>' + _any([name[:3] for name in _MONTH_NAMES[1:]]) + ')',
    'p': '(?P<p>am|pm)',
    'Z': '(?P<Z>utc|gmt)',
    '%': '%',
}
_PARSED_FORMATS = {'c': '%a %b %d %H:%M:%S %Y', 'x': '%m/%d/%y', 'X': '%H:%M:%S'}


def _pattern(format):
    from re import escape, sub
    parts = []
    done = 0
    while True:
        mark = format.find('%', done)
        plain = format[done:] if mark < 0 else format[done:mark]
        parts.append(sub(r'(?:\\?\s)+', r'\\s+', sub(r'([\\.^$*+?\(\){}\[\]|])', r'\\\1', plain)))
        if mark < 0:
            return ''.join(parts)
        if mark + 1 >= len(format):
            raise ValueError(f"stray % in format '{format}'")
        c = format[mark + 1]
        if c in _PARSED_FORMATS:
            parts.append(_pattern(_PARSED_FORMATS[c]))
        elif c in _PATTERNS:
            parts.append(_PATTERNS[c])
        else:
            raise ValueError(f"'{'%' if c.isspace() else c}' is a bad directive in format '{format}'")
        done = mark + 2


def _name_index(names, name, length):
    name = name.lower()
    for index, known in enumerate(names):
        if known[:length].lower() == name:
            return index


def _parse_zone(text):
    # Seconds and microseconds east of UTC.
    if text == 'Z':
        return 0, 0
    z = text
    if z[3] == ':':
        z = z[:3] + z[4:]
        if len(z) > 5:
            if z[5] != ':':
                raise ValueError(f'Inconsistent use of : in {text}')
            z = z[:5] + z[6:]
    seconds = int(z[1:3]) * 3600 + int(z[3:5]) * 60 + int(z[5:7] or 0)
    micro = int((z[8:] + '000000')[:6])
    return (-seconds, -micro) if z.startswith('-') else (seconds, micro)


def _parse(text, format):
    # (year, month, day, hour, minute, second, weekday, day of the year), microseconds, zone's seconds or None, zone's
    # microseconds, zone's name or None.
    for index, arg in enumerate([text, format]):
        if not isinstance(arg, str):
            raise TypeError(f"strptime() argument {index} must be str, not {_class(arg)!r}")
    from re import compile, error, IGNORECASE
    try:
        found = compile(_pattern(format), IGNORECASE).match(text)
    except error as wrong:
        raise ValueError(f"'{format}' is no format: {wrong}") from None
    if not found:
        raise ValueError(f'time data {text!r} does not match format {format!r}')
    if len(text) != found.end():
        raise ValueError(f'unconverted data remains: {text[found.end():]}')
    parts = found.groupdict()
    year = iso_year = weekday = yearday = week = iso_week = offset = None
    offset_micro = micro = 0
    if 'y' in parts:
        year = int(parts['y'])
        year += 2000 if year <= 68 else 1900
    if 'Y' in parts:
        year = int(parts['Y'])
    if 'G' in parts:
        iso_year = int(parts['G'])
    month = int(parts.get('m', 1))
    if 'B' in parts:
        month = _name_index(_MONTH_NAMES, parts['B'], 9)
    if 'b' in parts:
        month = _name_index(_MONTH_NAMES, parts['b'], 3)
    day = int(parts.get('d', 1))
    hour = int(parts.get('H', 0))
    if 'I' in parts:
        hour = int(parts['I']) % 12
        if parts.get('p', '').lower() == 'pm':
            hour += 12
    if 'f' in parts:
        micro = int((parts['f'] + '000000')[:6])
    if 'A' in parts:
        weekday = _name_index(_DAY_NAMES, parts['A'], 9)
    if 'a' in parts:
        weekday = _name_index(_DAY_NAMES, parts['a'], 3)
    if 'w' in parts:
        weekday = (int(parts['w']) + 6) % 7
    if 'u' in parts:
        weekday = int(parts['u']) - 1
    if 'j' in parts:
        yearday = int(parts['j'])
    for c in 'UW':
        if c in parts:
            week = int(parts[c]), c == 'W'
    if 'V' in parts:
        iso_week = int(parts['V'])
    if 'z' in parts:
        offset, offset_micro = _parse_zone(parts['z'])
    if year is None and iso_year is not None:
        if iso_week is None or weekday is None:
            raise ValueError("ISO year directive '%G' must be used with the ISO week directive '%V' and a weekday "
                             "directive ('%A', '%a', '%w', or '%u').")
        if yearday is not None:
            raise ValueError("Day of the year directive '%j' is not compatible with ISO year directive '%G'. "
                             "Use '%Y' instead.")
    elif week is None and iso_week is not None:
        if weekday is None:
            raise ValueError("ISO week directive '%V' must be used with the ISO year directive '%G' and a weekday "
                             "directive ('%A', '%a', '%w', or '%u').")
        raise ValueError("ISO week directive '%V' is incompatible with the year directive '%Y'. Use the ISO year "
                         "'%G' instead.")
    shown_year = year
    if year is None:
        year = 1904 if month == 2 and day == 29 else 1900
        shown_year = 1900
    if yearday is None and weekday is not None:
        if week is not None:
            number, monday = week
            first = (_ordinal(year, 1, 1) + 6) % 7
            ahead = weekday
            if not monday:
                first = (first + 1) % 7
                ahead = (weekday + 1) % 7
            before = (7 - first) % 7
            yearday = 1 + ahead - first if number == 0 else 1 + before + 7 * (number - 1) + ahead
        elif iso_year is not None:
            if iso_week == 53 and _iso_calendar(iso_year, 12, 28)[1] != 53:
                raise ValueError(f'Invalid week: {iso_week}')
            day_number = _first_iso_monday(iso_year) + 7 * (iso_week - 1) + weekday
            year, month, day = _from_ordinal(day_number)
            shown_year = year
            yearday = None
    if yearday is not None:
        year, month, day = _from_ordinal(_ordinal(year, 1, 1) + yearday - 1)
        shown_year = year
    elif day > _days_in_month(year, month):
        raise ValueError('day is out of range for month')
    yearday = _day_of_year(year, month, day)
    if weekday is None:
        weekday = (_ordinal(year, month, day) + 6) % 7
    at = shown_year, month, day, hour, int(parts.get('M', 0)), int(parts.get('S', 0)), weekday, yearday
    return at, micro, offset, offset_micro, parts.get('Z')
