from typing import Any, Callable, Generic, Iterable, Literal, Mapping, TypeVar, overload

_T = TypeVar("_T")

class _Missing: ...
class _KwOnly: ...

MISSING: _Missing
KW_ONLY: _KwOnly

class FrozenInstanceError(AttributeError): ...

class InitVar(Generic[_T]):
    type: Any
    def __init__(self, type: Any) -> None: ...
    def __class_getitem__(cls, type: Any) -> Any: ...

class Field(Generic[_T]):
    name: str
    type: Any
    default: _T | _Missing
    default_factory: Callable[[], _T] | _Missing
    init: bool
    repr: bool
    hash: bool | None
    compare: bool
    metadata: Mapping[Any, Any]
    kw_only: Any
    def __init__(
        self,
        default: Any,
        default_factory: Any,
        init: bool,
        repr: bool,
        hash: bool | None,
        compare: bool,
        metadata: Any,
        kw_only: Any,
    ) -> None: ...

@overload
def field(
    *,
    default: _T,
    init: bool = True,
    repr: bool = True,
    hash: bool | None = None,
    compare: bool = True,
    metadata: Mapping[Any, Any] | None = None,
    kw_only: bool = ...,
) -> _T: ...
@overload
def field(
    *,
    default_factory: Callable[[], _T],
    init: bool = True,
    repr: bool = True,
    hash: bool | None = None,
    compare: bool = True,
    metadata: Mapping[Any, Any] | None = None,
    kw_only: bool = ...,
) -> _T: ...
@overload
def field(
    *,
    init: bool = True,
    repr: bool = True,
    hash: bool | None = None,
    compare: bool = True,
    metadata: Mapping[Any, Any] | None = None,
    kw_only: bool = ...,
) -> Any: ...
@overload
def dataclass(cls: type[_T], /) -> type[_T]: ...
@overload
def dataclass(
    cls: None = None,
    /,
    *,
    init: bool = True,
    repr: bool = True,
    eq: bool = True,
    order: bool = False,
    unsafe_hash: bool = False,
    frozen: bool = False,
    kw_only: bool = False,
    match_args: Literal[False] = False,
    slots: Literal[False] = False,
) -> Callable[[type[_T]], type[_T]]: ...
def make_dataclass(
    cls_name: str,
    fields: Iterable[str | tuple[str, Any] | tuple[str, Any, Any]],
    *,
    bases: tuple[type, ...] = (),
    namespace: dict[str, Any] | None = None,
    **options: Any,
) -> Any: ...
def fields(class_or_instance: Any) -> tuple[Field[Any], ...]: ...
def is_dataclass(obj: object) -> bool: ...
def asdict(obj: Any, *, dict_factory: Callable[[list[tuple[str, Any]]], Any] = ...) -> Any: ...
def astuple(obj: Any, *, tuple_factory: Callable[[list[Any]], Any] = ...) -> Any: ...
def replace(obj: _T, /, **changes: Any) -> _T: ...
