from typing import Any, Mapping

ascii_letters: str
ascii_lowercase: str
ascii_uppercase: str
digits: str
hexdigits: str
octdigits: str
printable: str
punctuation: str
whitespace: str

def capwords(s: str, sep: str | None = None) -> str: ...

class Template:
    template: str
    delimiter: str
    def __init__(self, template: str) -> None: ...
    def substitute(self, mapping: Mapping[str, Any] | None = None, /, **kws: Any) -> str: ...
    def safe_substitute(self, mapping: Mapping[str, Any] | None = None, /, **kws: Any) -> str: ...
    def is_valid(self) -> bool: ...
    def get_identifiers(self) -> list[str]: ...
