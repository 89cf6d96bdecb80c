# Names for annotations. Nothing here checks a type.

from collections import namedtuple as _namedtuple

TYPE_CHECKING = False


def _shown(kind):
    if kind is None or kind is _none:
        return 'NoneType'
    if kind is ...:
        return '...'
    if isinstance(kind, list):
        return '[' + ', '.join([_shown(part) for part in kind]) + ']'
    if _is_class(kind) and _getattr(kind, '__origin__', None) is None:
        module = _getattr(kind, '__module__', 'builtins')
        return kind.__qualname__ if module == 'builtins' else f'{module}.{kind.__qualname__}'
    return repr(kind)


_none = _class(None)


def _flat(kinds):
    # The members of a union, each once.
    found = []
    for kind in kinds:
        if kind is None:
            kind = _none
        for part in kind._args if isinstance(kind, _Alias) and kind._name == 'Union' else (kind,):
            if part not in found:
                found.append(part)
    return found


def _union(kinds):
    found = _flat(kinds)
    return found[0] if len(found) == 1 else _Alias('Union', Union, tuple(found))


class _Joined:
    def __or__(self, other):
        return _union((self, other))

    def __ror__(self, other):
        return _union((other, self))


class _Alias(_Joined):
    def __init__(self, name, origin, args):
        self._name = name
        self._origin = origin
        self._args = args

    def __eq__(self, other):
        if not isinstance(other, _Alias):
            return NotImplemented
        if self._name == 'Union' == other._name:
            return set(self._args) == set(other._args)
        return self._name == other._name and self._args == other._args

    def __hash__(self):
        if self._name == 'Union':
            return hash(frozenset(self._args))
        return hash((self._name, tuple([tuple(a) if isinstance(a, list) else a for a in self._args])))

    def __call__(self, *args, **kwargs):
        raise TypeError(f'Type {self._name} cannot be instantiated; use {self._origin.__name__}() instead'
                        if _is_class(self._origin) else f'Cannot instantiate {self!r}')

    def __repr__(self):
        args = self._args
        name = self._name
        if name == 'Union' and len(args) == 2 and _none in args:
            name = 'Optional'
            args = [kind for kind in args if kind is not _none]
        if name == 'Literal':
            return 'typing.Literal[' + ', '.join([repr(value) for value in args]) + ']'
        if name == 'Annotated':
            return 'typing.Annotated[' + ', '.join([_shown(args[0]), *[repr(value) for value in args[1:]]]) + ']'
        return f'typing.{name}[' + ', '.join([_shown(kind) for kind in args]) + ']'


class _ClassVarAlias(_Alias):
    pass


class _Form(_Joined):
    # A name that takes arguments in brackets.
    def __init__(self, name, origin, make):
        self._name = name
        self._origin = origin
        self._make = make

    def __getitem__(self, args):
        if self._make is None:
            raise TypeError(f'{self!r} is not subscriptable')
        return self._make(self, args if isinstance(args, tuple) else (args,))

    def __call__(self, *args, **kwargs):
        if self is Any:
            raise TypeError('Any cannot be instantiated')
        raise TypeError(f'Cannot instantiate {self!r}' if self._origin is None
                        else f'Type {self._name} cannot be instantiated; use {self._origin.__name__}() instead')

    def __repr__(self):
        return f'typing.{self._name}'


def _plain(form, args):
    return _Alias(form._name, form._origin, tuple([_none if kind is None else kind for kind in args]))


def _single(form, args):
    if len(args) != 1:
        raise TypeError(f'{form!r} accepts only single type. Got {args!r}.')
    if form._name == 'ClassVar':
        return _ClassVarAlias('ClassVar', form, args)
    return _Alias(form._name, form, args)


def _literal(form, args):
    found = []
    for value in args:
        if not any([value == other and _class(value) is _class(other) for other in found]):
            found.append(value)
    return _Alias('Literal', form, tuple(found))


def _annotated(form, args):
    if len(args) < 2:
        raise TypeError('Annotated[...] should be used with at least two arguments (a type and an annotation).')
    return _Alias('Annotated', form, args)


def _callable(form, args):
    if len(args) != 2 or not (isinstance(args[0], list) or args[0] is ...):
        raise TypeError('Callable must be used as Callable[[arg, ...], result].')
    return _Alias('Callable', form, args)


Any = _Form('Any', None, None)
NoReturn = _Form('NoReturn', None, None)
Never = _Form('Never', None, None)
Self = _Form('Self', None, None)
LiteralString = _Form('LiteralString', None, None)
Union = _Form('Union', None, lambda form, args: _union(args))
Optional = _Form('Optional', None, lambda form, args: _union((args[0], None)))
ClassVar = _Form('ClassVar', None, _single)
Final = _Form('Final', None, _single)
Literal = _Form('Literal', None, _literal)
Annotated = _Form('Annotated', None, _annotated)
Callable = _Form('Callable', None, _callable)
List = _Form('List', list, _plain)
Dict = _Form('Dict', dict, _plain)
Set = _Form('Set', set, _plain)
FrozenSet = _Form('FrozenSet', frozenset, _plain)
Tuple = _Form('Tuple', tuple, _plain)
Type = _Form('Type', type, _plain)
Iterable = _Form('Iterable', None, _plain)
Iterator = _Form('Iterator', None, _plain)
Generator = _Form('Generator', None, _plain)
Sequence = _Form('Sequence', None, _plain)
MutableSequence = _Form('MutableSequence', None, _plain)
Mapping = _Form('Mapping', None, _plain)
MutableMapping = _Form('MutableMapping', None, _plain)
Collection = _Form('Collection', None, _plain)
Container = _Form('Container', None, _plain)
Awaitable = _Form('Awaitable', None, _plain)
Coroutine = _Form('Coroutine', None, _plain)
AsyncIterator = _Form('AsyncIterator', None, _plain)
AsyncIterable = _Form('AsyncIterable', None, _plain)
Hashable = _Form('Hashable', None, None)
Sized = _Form('Sized', None, None)
Text = str


class TypeVar(_Joined):
    def __init__(self, name, *constraints, bound=None, covariant=False, contravariant=False):
        if len(constraints) == 1:
            raise TypeError('A single constraint is not allowed')
        if covariant and contravariant:
            raise ValueError('Bivariant types are not supported.')
        self._name = name
        self._mark = '+' if covariant else '-' if contravariant else '~'

    def __repr__(self):
        return f'{self._mark}{self._name}'


class Generic:
    def __class_getitem__(cls, args):
        return cls


class Protocol:
    def __class_getitem__(cls, args):
        return cls


class NewType:
    def __init__(self, name, tp):
        self._name = name

    def __call__(self, x, /):
        return x

    def __repr__(self):
        return f'__main__.{self._name}'


def cast(typ, val):
    return val


def overload(func):
    def refuse(*args, **kwds):
        raise NotImplementedError('You should not call an overloaded function. A series of @overload-decorated functions '
                                  'outside a stub module should always be followed by an implementation that is not '
                                  '@overload-ed.')

    return refuse


def final(f):
    return f


def no_type_check(arg):
    return arg


def assert_type(val, typ, /):
    return val


def assert_never(arg, /):
    raise AssertionError(f'Expected code to be unreachable, but got: {arg!r}')


def get_args(tp):
    if isinstance(tp, _Alias):
        return tp._args
    found = _getattr(tp, '__args__', ())
    return found if isinstance(found, tuple) else ()


def get_origin(tp):
    if isinstance(tp, _Alias):
        return tp._origin
    if isinstance(tp, _Form):
        return tp._origin
    return None


AnyStr = TypeVar('AnyStr', bytes, str)


def _named_tuple(typename, types, defaults=()):
    made = _namedtuple(typename, [*types], defaults=defaults)
    _set_special(made, '__annotations__', types)
    return made


class NamedTuple(tuple):
    __slots__ = ()

    def __new__(cls, typename, fields=None, /, **kwargs):
        if fields is None:
            fields = kwargs.items()
        elif kwargs:
            raise TypeError('Either list of fields or keywords can be provided to NamedTuple, not both')
        return _named_tuple(typename, {name: kind for name, kind in fields})

    def __init_subclass__(cls):
        if NamedTuple not in cls.__bases__:
            return
        own = dict(cls.__dict__)
        types = _annotations(cls)
        defaults = []
        for name in types:
            if name in own:
                defaults.append(own[name])
            elif defaults:
                earlier = [known for known in types if known in own]
                raise TypeError(f"Non-default namedtuple field {name} cannot follow default field{'s' if len(earlier) > 1 else ''} {', '.join(earlier)}")
        made = _named_tuple(cls.__name__, types, defaults)
        for name, value in dict(made.__dict__).items():
            if name in types or name in ('__new__', '_make', '_fields', '_field_defaults') or name in (
                    '__repr__', '_replace', '_asdict') and name not in own:
                _set_special(cls, name, value)


class TypedDict(dict):
    def __new__(cls, /, *args, **kwargs):
        if cls is not TypedDict:
            return dict(*args, **kwargs)
        typename, fields = args

        class made(TypedDict):
            pass

        _set_special(made, '__name__', typename)
        _set_special(made, '__qualname__', typename)
        _set_special(made, '__annotations__', dict(fields))
        return made


def is_typeddict(tp):
    return _is_class(tp) and tp is not TypedDict and TypedDict in _mro(tp)


def runtime_checkable(cls):
    return cls
