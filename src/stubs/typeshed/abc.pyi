from typing import Any, Callable, TypeVar

_F = TypeVar("_F", bound=Callable[..., Any])

def abstractmethod(funcobj: _F) -> _F: ...

class ABC: ...
