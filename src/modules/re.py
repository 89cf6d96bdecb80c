# Regular expressions as CPython 3.11 has them. The work is native; the classes are here.

_MOST = (1 << 62) - 1

_NAMES = (
    ('ASCII', 256),
    ('IGNORECASE', 2),
    ('LOCALE', 4),
    ('MULTILINE', 8),
    ('DOTALL', 16),
    ('UNICODE', 32),
    ('VERBOSE', 64),
)


class error(Exception):
    def __init__(self, msg, pattern=None, pos=None):
        self.msg = msg
        self.pattern = pattern
        self.pos = pos
        self.lineno = self.colno = None
        if pattern is not None and pos is not None:
            msg = f'{msg} at position {pos}'
            newline = '\n' if isinstance(pattern, str) else b'\n'
            self.lineno = pattern.count(newline, 0, pos) + 1
            self.colno = pos - pattern.rfind(newline, 0, pos)
            if newline in pattern:
                msg = f'{msg} (line {self.lineno}, column {self.colno})'
        super().__init__(msg)


class RegexFlag(int):
    @property
    def name(self):
        names = [name for name, flag in sorted(_NAMES, key=_second) if self & flag]
        return '|'.join(names) if names else 'NOFLAG'

    @property
    def value(self):
        return int(self)

    def __repr__(self):
        return '|'.join([f're.{name}' for name in self.name.split('|')])

    def __or__(self, other):
        return RegexFlag(int(self) | int(other))

    __ror__ = __or__

    def __and__(self, other):
        return RegexFlag(int(self) & int(other))

    __rand__ = __and__

    def __xor__(self, other):
        return RegexFlag(int(self) ^ int(other))

    __rxor__ = __xor__

    def __invert__(self):
        return RegexFlag(382 & ~int(self))


def _second(pair):
    return pair[1]


NOFLAG = RegexFlag(0)
A = ASCII = RegexFlag(256)
I = IGNORECASE = RegexFlag(2)
L = LOCALE = RegexFlag(4)
M = MULTILINE = RegexFlag(8)
S = DOTALL = RegexFlag(16)
U = UNICODE = RegexFlag(32)
X = VERBOSE = RegexFlag(64)


class Match:
    __slots__ = ('_found', '_re', '_string')

    def __init_subclass__(cls):
        raise TypeError("type 're.Match' is not an acceptable base type")

    def __init__(self, found=None, re=None, string=None):
        if not _is_found(found):
            raise TypeError("cannot create 're.Match' instances")
        self._found = found
        self._re = re
        self._string = string

    @property
    def re(self):
        return self._re

    @property
    def string(self):
        return self._string

    @property
    def pos(self):
        return self._found.searched()[0]

    @property
    def endpos(self):
        return self._found.searched()[1]

    @property
    def lastindex(self):
        return self._found.last_group()[0]

    @property
    def lastgroup(self):
        return self._found.last_group()[1]

    @property
    def regs(self):
        span = self._found.span
        return tuple([span(group) for group in range(self._re.groups + 1)])

    def group(self, /, *groups):
        if not groups:
            return self._found.group(0)
        if len(groups) == 1:
            return self._found.group(groups[0])
        return tuple([self._found.group(group) for group in groups])

    def __getitem__(self, group):
        return self._found.group(group)

    def groups(self, default=None):
        return self._found.groups(default)

    def groupdict(self, default=None):
        found = self._found
        groups = {}
        for name in self._re.groupindex:
            value = found.group(name)
            groups[name] = default if value is None else value
        return groups

    def start(self, group=0, /):
        return self._found.span(group)[0]

    def end(self, group=0, /):
        return self._found.span(group)[1]

    def span(self, group=0, /):
        return self._found.span(group)

    def expand(self, /, template):
        return self._re._compiled.expand(template, self._found, error)

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __repr__(self):
        return f'<re.Match object; span={self.span()!r}, match={self.group()!r}>'


class Pattern:
    __slots__ = ('_compiled', '_pattern')

    def __init_subclass__(cls):
        raise TypeError("type 're.Pattern' is not an acceptable base type")

    def __init__(self, compiled=None, pattern=None):
        if not _is_compiled(compiled):
            raise TypeError("cannot create 're.Pattern' instances")
        self._compiled = compiled
        self._pattern = pattern

    @property
    def pattern(self):
        return self._pattern

    @property
    def flags(self):
        return self._compiled.flags()

    @property
    def groups(self):
        return self._compiled.groups()

    @property
    def groupindex(self):
        return self._compiled.names()

    def match(self, /, string, pos=0, endpos=_MOST):
        found = self._compiled.find(string, _clip(pos), _clip(endpos), 0)
        return None if found is None else Match(found, self, string)

    def fullmatch(self, /, string, pos=0, endpos=_MOST):
        found = self._compiled.find(string, _clip(pos), _clip(endpos), 1)
        return None if found is None else Match(found, self, string)

    def search(self, /, string, pos=0, endpos=_MOST):
        found = self._compiled.find(string, _clip(pos), _clip(endpos), 2)
        return None if found is None else Match(found, self, string)

    def findall(self, /, string, pos=0, endpos=_MOST):
        return self._compiled.findall(string, _clip(pos), _clip(endpos))

    def finditer(self, /, string, pos=0, endpos=_MOST):
        return self._each(self._compiled.scan(string, _clip(pos), _clip(endpos)), string)

    def _each(self, scan, string):
        found = scan.find()
        while found is not None:
            yield Match(found, self, string)
            found = scan.find()

    def split(self, /, string, maxsplit=0):
        return self._compiled.split(string, _clip(maxsplit))

    def sub(self, /, repl, string, count=0):
        return self.subn(repl, string, count)[0]

    def subn(self, /, repl, string, count=0):
        count = _clip(count)
        if not callable(repl):
            return self._compiled.sub(repl, string, count, error)
        parts = []
        at = 0
        made = 0
        if count >= 0:
            # Between matches as they were found, whatever the function does with them.
            for match in self.finditer(string):
                begin, end = match.span()
                parts.append(string[at:begin])
                part = repl(match)
                if part is not None:
                    parts.append(part)
                at = end
                made += 1
                if made == count:
                    break
        if not made:
            return string, 0
        parts.append(string[at:])
        return (('' if isinstance(string, str) else b'').join(parts)), made

    def __eq__(self, other):
        if not isinstance(other, Pattern):
            return NotImplemented
        return self._pattern == other._pattern and self.flags == other.flags

    def __hash__(self):
        return hash((self._pattern, self.flags))

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __repr__(self):
        flags = self.flags
        if isinstance(self._pattern, str) and flags & 292 == 32:
            flags &= ~32
        names = [f're.{name}' for name, flag in sorted(_NAMES, key=_second) if flags & flag]
        return f're.compile({repr(self._pattern)[:200]}' + (', ' + '|'.join(names) if names else '') + ')'


def _clip(index):
    index = _index(index)
    return min(max(index, -_MOST), _MOST)


_cache = {}


def _cached(pattern, flags):
    flags = int(flags)
    if isinstance(pattern, Pattern):
        if flags:
            raise ValueError('cannot process flags argument with a compiled pattern')
        return pattern
    if not isinstance(pattern, (str, bytes)):
        raise TypeError('first argument must be string or compiled pattern')
    key = _class(pattern), pattern, flags
    compiled = _cache.get(key)
    if compiled is None:
        compiled = Pattern(_compile(pattern, flags, error), pattern)
        if len(_cache) >= 128:
            for oldest in _cache:
                break
            del _cache[oldest]
        _cache[key] = compiled
    return compiled


def compile(pattern, flags=0):
    return _cached(pattern, flags)


def match(pattern, string, flags=0):
    return _cached(pattern, flags).match(string)


def fullmatch(pattern, string, flags=0):
    return _cached(pattern, flags).fullmatch(string)


def search(pattern, string, flags=0):
    return _cached(pattern, flags).search(string)


def findall(pattern, string, flags=0):
    return _cached(pattern, flags).findall(string)


def finditer(pattern, string, flags=0):
    return _cached(pattern, flags).finditer(string)


def split(pattern, string, maxsplit=0, flags=0):
    return _cached(pattern, flags).split(string, maxsplit)


def sub(pattern, repl, string, count=0, flags=0):
    return _cached(pattern, flags).sub(repl, string, count)


def subn(pattern, repl, string, count=0, flags=0):
    return _cached(pattern, flags).subn(repl, string, count)


def purge():
    _cache.clear()


_SPECIAL = {ord(c): '\\' + c for c in '()[]{}?*+-|^$\\.&~# \t\n\r\v\f'}


def escape(pattern):
    if isinstance(pattern, str):
        return pattern.translate(_SPECIAL)
    return pattern.decode('latin1').translate(_SPECIAL).encode('latin1')
