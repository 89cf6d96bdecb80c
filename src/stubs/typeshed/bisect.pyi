from typing import Any, Callable, MutableSequence, Sequence, TypeVar

_T = TypeVar("_T")

def bisect_left(
    a: Sequence[_T], x: Any, lo: int = 0, hi: int | None = None, *, key: Callable[[_T], Any] | None = None
) -> int: ...
def bisect_right(
    a: Sequence[_T], x: Any, lo: int = 0, hi: int | None = None, *, key: Callable[[_T], Any] | None = None
) -> int: ...
def insort_left(
    a: MutableSequence[_T], x: _T, lo: int = 0, hi: int | None = None, *, key: Callable[[_T], Any] | None = None
) -> None: ...
def insort_right(
    a: MutableSequence[_T], x: _T, lo: int = 0, hi: int | None = None, *, key: Callable[[_T], Any] | None = None
) -> None: ...

bisect = bisect_right
insort = insort_right
