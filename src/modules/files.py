# Files of the host's mounts: what `open` answers. `_host` is the one way to them: it checks every path and every right
# itself, each time, so nothing here is trusted with either. A file is read ahead by pieces, and written through at once.

_PIECE = 65536


def _text_of(path):
    text = path if isinstance(path, str) else _getattr(path, '_path', None)
    if not isinstance(text, str):
        raise TypeError('expected str or Path, not ' + _class_name(path))
    # The host would say so too, once it had it.
    if len(text) > 1024:
        raise OSError('[Errno 36] File name too long')
    return text


class _File:
    def __init__(self, path, mode, errors, newline):
        kind = [c for c in mode if c in 'rwxa'][0]
        plus = '+' in mode
        _host('open', path, kind + '+' if plus else kind)
        self._path = path
        self._errors = errors
        self._newline = newline
        self._reads = plus or kind == 'r'
        self._writes = plus or kind != 'r'
        self._appends = kind == 'a'
        self._closed = False
        # What was read ahead, where in it the next byte is, and where in the file it ends.
        self._ahead = b''
        self._next = 0
        self._end = self._size() if kind == 'a' else 0
        self.name = path
        self.mode = mode

    @property
    def closed(self):
        return self._closed

    def _size(self):
        size = _host('entry', self._path)
        if size is None:
            raise OSError('[Errno 21] Is a directory: ' + repr(self._path))
        return size

    def _check(self, right, what):
        if self._closed:
            raise ValueError('I/O operation on closed file.')
        if not right:
            raise OSError('not ' + what)

    def _more(self):
        # Only where all that was read ahead is used.
        self._ahead = _host('read', self._path, self._end, _PIECE)
        _moved(len(self._ahead))
        self._next = 0
        self._end += len(self._ahead)
        return len(self._ahead) > 0

    def _some(self, most):
        # Some bytes, at most so many; none at the end.
        if self._next == len(self._ahead) and not self._more():
            return b''
        piece = self._ahead[self._next:self._next + most]
        self._next += len(piece)
        return piece

    def _bytes(self, count):
        parts = []
        if count < 0:
            # What there is no room for is refused before it is read.
            _moved(max(0, self._size() - self.tell()))
            while piece := self._some(_PIECE):
                parts.append(piece)
        else:
            while count > 0 and (piece := self._some(count)):
                parts.append(piece)
                count -= len(piece)
        return parts[0] if len(parts) == 1 else b''.join(parts)

    def _line(self, most):
        parts = []
        while most != 0 and (self._next < len(self._ahead) or self._more()):
            end = self._ahead.find(b'\n', self._next)
            stop = len(self._ahead) if end < 0 else end + 1
            if most > 0:
                stop = min(stop, self._next + most)
            piece = self._ahead[self._next:stop]
            parts.append(piece)
            self._next = stop
            most -= len(piece) if most > 0 else 0
            if end >= 0 and stop == end + 1:
                break
        return parts[0] if len(parts) == 1 else b''.join(parts)

    def _put(self, data):
        at = None if self._appends else self.tell()
        start = 0
        while start < len(data):
            piece = data[start:start + _PIECE]
            _moved(len(piece))
            at = end = _host('write', self._path, at, piece)
            start += len(piece)
            self._move(end)

    def _move(self, at):
        self._ahead = b''
        self._next = 0
        self._end = at

    def tell(self):
        if self._closed:
            raise ValueError('I/O operation on closed file.')
        return self._end - len(self._ahead) + self._next

    def seek(self, offset, whence=0):
        self._check(True, '')
        offset = _index(offset)
        if whence == 1:
            offset += self.tell()
        elif whence == 2:
            offset += self._size()
        elif whence != 0:
            raise ValueError('invalid whence (' + str(whence) + ', should be 0, 1 or 2)')
        if offset < 0:
            raise OSError('[Errno 22] Invalid argument')
        self._move(offset)
        return offset

    def truncate(self, size=None):
        self._check(self._writes, 'writable')
        size = self.tell() if size is None else _index(size)
        _host('truncate', self._path, size)
        self._move(self.tell())
        return size

    def readable(self):
        self._check(True, '')
        return self._reads

    def writable(self):
        self._check(True, '')
        return self._writes

    def seekable(self):
        self._check(True, '')
        return True

    def isatty(self):
        self._check(True, '')
        return False

    def flush(self):
        # Nothing is held back.
        self._check(True, '')

    def close(self):
        self._closed = True
        self._ahead = b''
        self._next = 0

    def __enter__(self):
        self._check(True, '')
        return self

    def __exit__(self, *exception):
        self.close()

    def __iter__(self):
        self._check(True, '')
        return self

    def __next__(self):
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def readlines(self, hint=-1):
        lines = []
        total = 0
        while line := self.readline():
            lines.append(line)
            total += len(line)
            if hint is not None and 0 < hint <= total:
                break
        return lines

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def __repr__(self):
        return '<file name=' + repr(self.name) + ' mode=' + repr(self.mode) + '>'


class _BinaryFile(_File):
    def read(self, size=-1):
        self._check(self._reads, 'readable')
        return self._bytes(-1 if size is None else _index(size))

    def readline(self, size=-1):
        self._check(self._reads, 'readable')
        return self._line(-1 if size is None else _index(size))

    def write(self, data):
        self._check(self._writes, 'writable')
        if isinstance(data, bytearray):
            data = bytes(data)
        if not isinstance(data, bytes):
            raise TypeError("a bytes-like object is required, not '" + _class_name(data) + "'")
        self._put(data)
        return len(data)


class _TextFile(_File):
    @property
    def encoding(self):
        return 'utf-8'

    @property
    def errors(self):
        return self._errors

    def _decode(self, data):
        text = data.decode('utf-8', self._errors)
        if self._newline is None and '\r' in text:
            text = text.replace('\r\n', '\n')
        return text

    def _characters(self, count):
        parts = []
        while count > 0 and (data := self._some(count)):
            # The last character, to its end.
            for back in range(1, min(len(data), 3) + 1):
                byte = data[-back]
                if byte < 0x80:
                    break
                if byte >= 0xC0:
                    length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
                    while back < length and (more := self._some(length - back)):
                        data += more
                        back += len(more)
                    break
            if self._newline is None and data.endswith(b'\r'):
                data += self._some(1)
            text = self._decode(data)
            parts.append(text)
            count -= len(text)
        return ''.join(parts)

    def read(self, size=-1):
        self._check(self._reads, 'readable')
        size = -1 if size is None else _index(size)
        return self._decode(self._bytes(-1)) if size < 0 else self._characters(size)

    def readline(self, size=-1):
        self._check(self._reads, 'readable')
        size = -1 if size is None else _index(size)
        line = self._decode(self._line(-1))
        if 0 <= size < len(line):
            # Back to where the rest begins.
            kept = line[:size]
            self.seek(self.tell() - len(line[size:].encode('utf-8', 'surrogatepass')))
            return kept
        return line

    def seek(self, offset, whence=0):
        if whence in (1, 2) and offset != 0:
            raise OSError("can't do nonzero cur-relative seeks" if whence == 1 else "can't do nonzero end-relative seeks")
        if whence == 0 and _index(offset) < 0:
            raise ValueError('negative seek position ' + str(offset))
        return super().seek(offset, whence)

    def write(self, text):
        self._check(self._writes, 'writable')
        if not isinstance(text, str):
            raise TypeError('write() argument must be str, not ' + _class_name(text))
        count = len(text)
        if self._newline == '\r\n':
            text = text.replace('\n', '\r\n')
        self._put(text.encode('utf-8', self._errors))
        return count


_UTF_8 = ('utf-8', 'utf8', 'u8', 'utf')


def open(file, mode='r', buffering=-1, encoding=None, errors=None, newline=None):
    path = _text_of(file)
    if not isinstance(mode, str):
        raise TypeError("open() argument 'mode' must be str, not " + _class_name(mode))
    if len(mode) > 4 or not set(mode) <= set('rwxabt+') or len(set(mode)) != len(mode):
        raise ValueError('invalid mode: ' + repr(mode[:20]))
    if 't' in mode and 'b' in mode:
        raise ValueError("can't have text and binary mode at once")
    if len([c for c in mode if c in 'rwxa']) != 1:
        raise ValueError('must have exactly one of create/read/write/append mode')
    if 'b' in mode:
        for value, what in ((encoding, 'encoding'), (errors, 'errors'), (newline, 'newline')):
            if value is not None:
                raise ValueError("binary mode doesn't take an " + what + ' argument')
        return _BinaryFile(path, mode, None, None)
    if encoding is not None and not (isinstance(encoding, str) and encoding.lower().replace('_', '-') in _UTF_8):
        raise LookupError('files are read and written as utf-8 here, not as ' + repr(encoding))
    if errors not in (None, 'strict', 'ignore', 'replace'):
        raise LookupError('unknown error handler name ' + repr(errors))
    if newline not in (None, '', '\n', '\r\n'):
        raise ValueError('illegal newline value: ' + repr(newline))
    return _TextFile(path, mode, errors or 'strict', newline)
