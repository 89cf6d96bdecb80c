# Constants, and templates. Format strings are str.format.

whitespace = ' \t\n\r\v\f'
ascii_lowercase = 'abcdefghijklmnopqrstuvwxyz'
ascii_uppercase = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'
ascii_letters = ascii_lowercase + ascii_uppercase
digits = '0123456789'
hexdigits = digits + 'abcdef' + 'ABCDEF'
octdigits = '01234567'
punctuation = r"""!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~"""
printable = digits + ascii_letters + punctuation + whitespace

_FIRST = frozenset(ascii_letters + '_')
_REST = frozenset(ascii_letters + digits + '_')


def capwords(s, sep=None):
    return (sep or ' ').join(map(str.capitalize, s.split(sep)))


class Template:
    delimiter = '$'

    def __init__(self, template):
        self.template = template

    def _parts(self):
        # Plain text, and (written form, name or None for a wrong one, position).
        text = self.template
        mark = self.delimiter
        at = 0
        while True:
            found = text.find(mark, at)
            if found < 0:
                yield text[at:]
                return
            yield text[at:found]
            start = found + len(mark)
            if text.startswith(mark, start):
                yield mark
                at = start + len(mark)
                continue
            braced = text.startswith('{', start)
            begin = start + braced
            end = begin
            if end < len(text) and text[end] in _FIRST:
                end += 1
                while end < len(text) and text[end] in _REST:
                    end += 1
            name = text[begin:end]
            if name and (not braced or text.startswith('}', end)):
                at = end + braced
                yield text[found:at], name, found
            else:
                at = start
                yield mark, None, found

    def _wrong(self, position):
        before = self.template[:position]
        line = before.count('\n') + 1
        column = position - before.rfind('\n')
        raise ValueError(f'Invalid placeholder in string: line {line}, col {column}')

    def substitute(self, mapping=None, /, **kws):
        mapping = kws if mapping is None else {**mapping, **kws}
        result = []
        for part in self._parts():
            if isinstance(part, str):
                result.append(part)
            elif part[1] is None:
                self._wrong(part[2])
            else:
                result.append(str(mapping[part[1]]))
        return ''.join(result)

    def safe_substitute(self, mapping=None, /, **kws):
        mapping = kws if mapping is None else {**mapping, **kws}
        result = []
        for part in self._parts():
            if isinstance(part, str):
                result.append(part)
            elif part[1] in mapping:
                result.append(str(mapping[part[1]]))
            else:
                result.append(part[0])
        return ''.join(result)

    def is_valid(self):
        return all(isinstance(part, str) or part[1] is not None for part in self._parts())

    def get_identifiers(self):
        names = {}
        for part in self._parts():
            if not isinstance(part, str) and part[1] is not None:
                names[part[1]] = None
        return [*names]
