# Text wrapped and indented, as CPython 3.11 splits it.

_WHITE = '\t\n\x0b\x0c\r '


class TextWrapper:
    def __init__(self, width=70, initial_indent='', subsequent_indent='', expand_tabs=True, replace_whitespace=True,
                 fix_sentence_endings=False, break_long_words=True, drop_whitespace=True, break_on_hyphens=True,
                 tabsize=8, *, max_lines=None, placeholder=' [...]'):
        self.width = width
        self.initial_indent = initial_indent
        self.subsequent_indent = subsequent_indent
        self.expand_tabs = expand_tabs
        self.replace_whitespace = replace_whitespace
        self.fix_sentence_endings = fix_sentence_endings
        self.break_long_words = break_long_words
        self.drop_whitespace = drop_whitespace
        self.break_on_hyphens = break_on_hyphens
        self.tabsize = tabsize
        self.max_lines = max_lines
        self.placeholder = placeholder

    def _munge(self, text):
        if self.expand_tabs:
            text = text.expandtabs(self.tabsize)
        if self.replace_whitespace:
            for mark in '\t\n\x0b\x0c\r':
                text = text.replace(mark, ' ')
        return text

    def _split(self, text):
        chunks = []
        at = 0
        end = len(text)
        while at < end:
            start = at
            if text[at] in _WHITE:
                while at < end and text[at] in _WHITE:
                    at += 1
                chunks.append(text[start:at])
                continue
            while at < end and text[at] not in _WHITE:
                at += 1
            word = text[start:at]
            if self.break_on_hyphens and '-' in word:
                chunks.extend(_hyphens(word))
            else:
                chunks.append(word)
        return chunks

    def _fix_endings(self, chunks):
        i = 0
        while i < len(chunks) - 1:
            word = chunks[i].rstrip('"\'')
            if chunks[i + 1] == ' ' and len(word) > 1 and word[-1] in '.!?' and word[-2].isascii() and word[-2].islower():
                chunks[i + 1] = '  '
                i += 2
            else:
                i += 1

    def _long_word(self, chunks, line, length, width):
        space = 1 if width < 1 else width - length
        if self.break_long_words:
            end = space
            chunk = chunks[-1]
            if self.break_on_hyphens and len(chunk) > space:
                hyphen = chunk.rfind('-', 0, space)
                if hyphen > 0 and any(c != '-' for c in chunk[:hyphen]):
                    end = hyphen + 1
            line.append(chunk[:end])
            chunks[-1] = chunk[end:]
        elif not line:
            line.append(chunks.pop())

    def _wrap(self, chunks):
        lines = []
        if self.width <= 0:
            raise ValueError(f'invalid width {self.width!r} (must be > 0)')
        if self.max_lines is not None:
            indent = self.subsequent_indent if self.max_lines > 1 else self.initial_indent
            if len(indent) + len(self.placeholder.lstrip()) > self.width:
                raise ValueError('placeholder too large for max width')
        chunks.reverse()
        while chunks:
            line = []
            length = 0
            indent = self.subsequent_indent if lines else self.initial_indent
            width = self.width - len(indent)
            if self.drop_whitespace and chunks[-1].strip() == '' and lines:
                del chunks[-1]
            while chunks:
                size = len(chunks[-1])
                if length + size > width:
                    break
                line.append(chunks.pop())
                length += size
            if chunks and len(chunks[-1]) > width:
                self._long_word(chunks, line, length, width)
                length = sum(map(len, line))
            if self.drop_whitespace and line and line[-1].strip() == '':
                length -= len(line[-1])
                del line[-1]
            if not line:
                continue
            last = not chunks or self.drop_whitespace and len(chunks) == 1 and not chunks[0].strip()
            if self.max_lines is None or len(lines) + 1 < self.max_lines or last and length <= width:
                lines.append(indent + ''.join(line))
                continue
            while line:
                if line[-1].strip() and length + len(self.placeholder) <= width:
                    line.append(self.placeholder)
                    lines.append(indent + ''.join(line))
                    break
                length -= len(line[-1])
                del line[-1]
            else:
                if lines:
                    previous = lines[-1].rstrip()
                    if len(previous) + len(self.placeholder) <= self.width:
                        lines[-1] = previous + self.placeholder
                        break
                lines.append(indent + self.placeholder.lstrip())
            break
        return lines

    def wrap(self, text):
        chunks = [chunk for chunk in self._split(self._munge(text)) if chunk]
        if self.fix_sentence_endings:
            self._fix_endings(chunks)
        return self._wrap(chunks)

    def fill(self, text):
        return '\n'.join(self.wrap(text))


def _letter(c):
    return c.isalpha() or c == '_'


def _wordy(c):
    return c.isalnum() or c in '_!"\'&.,?'


def _hyphens(word):
    # After a hyphen between letters a line may end, and around a dash of two or more hyphens.
    parts = []
    start = 0
    at = 0
    end = len(word)
    while at < end:
        if word[at] != '-':
            at += 1
            continue
        run = at
        while run < end and word[run] == '-':
            run += 1
        if run - at >= 2 and at > 0 and _wordy(word[at - 1]) and run < end and (word[run].isalnum() or word[run] == '_'):
            if start < at:
                parts.append(word[start:at])
            parts.append(word[at:run])
            start = run
        elif run - at == 1 and at - start >= 2 and _letter(word[at - 1]) and _letter(word[at - 2]) and run + 1 < end \
                and _letter(word[run]) and _letter(word[run + 1]):
            parts.append(word[start:run])
            start = run
        elif run - at == 1 and at - start >= 2 and _letter(word[at - 1]) and _letter(word[at - 2]) and run + 1 < end \
                and _letter(word[run]) and word[run + 1] == '-':
            parts.append(word[start:run])
            start = run
        at = run
    if start < end:
        parts.append(word[start:])
    return parts


def wrap(text, width=70, **kwargs):
    return TextWrapper(width=width, **kwargs).wrap(text)


def fill(text, width=70, **kwargs):
    return TextWrapper(width=width, **kwargs).fill(text)


def shorten(text, width, **kwargs):
    return TextWrapper(width=width, max_lines=1, **kwargs).fill(' '.join(text.strip().split()))


def dedent(text):
    margin = None
    lines = []
    for line in text.split('\n'):
        content = line.lstrip(' \t')
        if not content:
            lines.append('')
            continue
        lines.append(line)
        indent = line[:len(line) - len(content)]
        if margin is None:
            margin = indent
        elif indent.startswith(margin):
            pass
        elif margin.startswith(indent):
            margin = indent
        else:
            for position, (a, b) in enumerate(zip(margin, indent)):
                if a != b:
                    margin = margin[:position]
                    break
    if margin:
        lines = [line[len(margin):] for line in lines]
    return '\n'.join(lines)


def indent(text, prefix, predicate=None):
    if predicate is None:
        predicate = str.strip
    return ''.join([prefix + line if predicate(line) else line for line in text.splitlines(True)])
