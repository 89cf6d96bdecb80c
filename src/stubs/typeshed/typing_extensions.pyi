# For the checker alone: no script can import this. Forms that the other stubs are written with.

from typing import Any as Any, Protocol as Protocol, _SpecialForm

class ParamSpec:
    def __init__(self, name: str) -> None: ...
    @property
    def args(self) -> Any: ...
    @property
    def kwargs(self) -> Any: ...

Concatenate: _SpecialForm
TypeGuard: _SpecialForm
TypeIs: _SpecialForm
