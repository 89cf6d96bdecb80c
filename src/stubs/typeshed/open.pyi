
# Files that the host has mounted.
from _files import BinaryFile, TextFile
from pathlib import Path

@overload
def open(
    file: str | Path,
    mode: Literal["rb", "wb", "ab", "xb", "r+b", "rb+", "w+b", "wb+", "a+b", "ab+", "x+b", "xb+"],
    buffering: int = -1,
    encoding: None = None,
    errors: None = None,
    newline: None = None,
) -> BinaryFile: ...
@overload
def open(
    file: str | Path,
    mode: Literal["r", "w", "a", "x", "r+", "w+", "a+", "x+", "rt", "wt", "at", "xt", "r+t", "w+t", "a+t"] = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
) -> TextFile: ...
@overload
def open(
    file: str | Path,
    mode: str,
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
) -> Any: ...
