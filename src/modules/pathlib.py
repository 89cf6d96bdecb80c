# Paths in the host's mounts. A path is a text; whether it leads anywhere is seen where it is used, by `_host`.

from _files import open as _open


def _text_of(path):
    if isinstance(path, str):
        return path
    text = _getattr(path, '_path', None)
    if isinstance(text, str):
        return text
    raise TypeError('argument should be a str or Path, not ' + repr(_class_name(path)))


def _matches(name, pattern):
    # `*` and `?`, by going back to the last star alone: linear for one star, the product of the lengths at worst.
    at = star = mark = 0
    seen = False
    i = 0
    while i < len(name):
        if at < len(pattern) and pattern[at] == '*':
            seen, star, mark = True, at, i
            at += 1
        elif at < len(pattern) and (pattern[at] == '?' or pattern[at] == name[i]):
            at += 1
            i += 1
        elif seen:
            mark += 1
            at = star + 1
            i = mark
        else:
            return False
    while at < len(pattern) and pattern[at] == '*':
        at += 1
    return at == len(pattern)


class _Stat:
    def __init__(self, size):
        self.st_size = size

    def __repr__(self):
        return 'stat_result(st_size=' + str(self.st_size) + ')'


class Path:
    def __init__(self, *parts):
        texts = [_text_of(part) for part in parts]
        start = ''
        names = []
        for text in texts:
            if text.startswith('/'):
                start = '/'
                names = []
            names.extend([name for name in text.split('/') if name not in ('', '.')])
        self._names = names
        self._path = start + '/'.join(names) or '.'

    def __str__(self):
        return self._path

    def __repr__(self):
        return 'Path(' + repr(self._path) + ')'

    def __eq__(self, other):
        if not isinstance(other, Path):
            return NotImplemented
        return self._path == other._path

    def __lt__(self, other):
        if not isinstance(other, Path):
            return NotImplemented
        return self.parts < other.parts

    def __hash__(self):
        return hash(self._path)

    def __truediv__(self, other):
        return Path(self, other)

    def __rtruediv__(self, other):
        return Path(other, self)

    def joinpath(self, *parts):
        return Path(self, *parts)

    @property
    def parts(self):
        return (('/',) if self._path.startswith('/') else ()) + tuple(self._names)

    @property
    def name(self):
        return self._names[-1] if self._names else ''

    @property
    def suffix(self):
        name = self.name
        dot = name.rfind('.')
        return name[dot:] if 0 < dot < len(name) - 1 else ''

    @property
    def stem(self):
        suffix = self.suffix
        return self.name[:-len(suffix)] if suffix else self.name

    @property
    def parent(self):
        start = '/' if self._path.startswith('/') else ''
        return Path(start + '/'.join(self._names[:-1]) or '.')

    @property
    def parents(self):
        found = []
        path = self
        while path._names:
            path = path.parent
            found.append(path)
        return tuple(found)

    def is_absolute(self):
        return self._path.startswith('/')

    def as_posix(self):
        return self._path

    def with_name(self, name):
        if not self._names:
            raise ValueError(repr(self) + ' has an empty name')
        if not name or '/' in name or name == '.':
            raise ValueError('Invalid name ' + repr(name))
        return self.parent / name

    def with_stem(self, stem):
        return self.with_name(stem + self.suffix)

    def with_suffix(self, suffix):
        if suffix and (not suffix.startswith('.') or suffix == '.' or '/' in suffix):
            raise ValueError('Invalid suffix ' + repr(suffix))
        return self.with_name(self.stem + suffix)

    def match(self, pattern):
        wanted = [name for name in pattern.split('/') if name]
        if not wanted:
            raise ValueError('empty pattern')
        names = self._names[-len(wanted):]
        return len(names) == len(wanted) and all([_matches(name, part) for name, part in zip(names, wanted)])

    def _ask(self, operation, argument=None):
        # The host would say so too, once it had it.
        if len(self._path) > 1024:
            raise OSError('[Errno 36] File name too long')
        return _host(operation, self._path, argument)

    def _entry(self):
        # Its size, None for a folder; False where there is nothing that can be used.
        try:
            return self._ask('entry')
        except (OSError, ValueError):
            return False

    def exists(self):
        return self._entry() is not False

    def is_file(self):
        entry = self._entry()
        return entry is not None and entry is not False

    def is_dir(self):
        return self._entry() is None

    def stat(self):
        return _Stat(self._ask('entry') or 0)

    def iterdir(self):
        names = self._ask('list')
        _steps(len(names))
        for name in names:
            yield self / name

    def glob(self, pattern):
        parts = [part for part in pattern.split('/') if part not in ('', '.')]
        if not parts:
            raise ValueError('Unacceptable pattern: ' + repr(pattern))
        if pattern.startswith('/'):
            raise NotImplementedError('Non-relative patterns are unsupported')
        return self._found(parts)

    def rglob(self, pattern):
        return self.glob('**/' + pattern)

    def _found(self, parts):
        first, rest = parts[0], parts[1:]
        if first == '**':
            if rest:
                yield from self._found(rest)
            else:
                yield self
            for path in self.iterdir():
                if path.is_dir():
                    yield from path._found(parts)
            return
        if not self.is_dir():
            return
        for path in self.iterdir():
            if _matches(path.name, first):
                if rest:
                    yield from path._found(rest)
                else:
                    yield path

    def open(self, mode='r', buffering=-1, encoding=None, errors=None, newline=None):
        return _open(self, mode, buffering, encoding, errors, newline)

    def read_text(self, encoding=None, errors=None):
        with self.open('r', encoding=encoding, errors=errors) as file:
            return file.read()

    def read_bytes(self):
        with self.open('rb') as file:
            return file.read()

    def write_text(self, data, encoding=None, errors=None, newline=None):
        if not isinstance(data, str):
            raise TypeError('data must be str, not ' + _class_name(data))
        with self.open('w', encoding=encoding, errors=errors, newline=newline) as file:
            return file.write(data)

    def write_bytes(self, data):
        with self.open('wb') as file:
            return file.write(data)

    def touch(self, exist_ok=True):
        if not exist_ok or not self.exists():
            self.open('x').close()

    def mkdir(self, parents=False, exist_ok=False):
        try:
            self._ask('mkdir')
        except FileNotFoundError:
            if not parents or self.parent == self:
                raise
            self.parent.mkdir(parents=True, exist_ok=True)
            self.mkdir(exist_ok=exist_ok)
        except (FileExistsError, PermissionError):
            if not exist_ok or not self.is_dir():
                raise

    def unlink(self, missing_ok=False):
        try:
            self._ask('unlink')
        except FileNotFoundError:
            if not missing_ok:
                raise

    def rmdir(self):
        self._ask('rmdir')

    def rename(self, target):
        target = Path(target)
        if target.exists():
            raise FileExistsError('[Errno 17] File exists: ' + repr(str(target)))
        self._ask('rename', target._path)
        return target

    def replace(self, target):
        target = Path(target)
        self._ask('rename', target._path)
        return target
