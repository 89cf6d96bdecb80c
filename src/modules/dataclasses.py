# Classes of fields. The methods are closures over the fields: no text is compiled.
#
# What a class keeps here under private names a script can put there as well, so nothing in it is trusted: fields are read by
# the guarded getattr, whose rules no name gets around.

from copy import deepcopy as _deepcopy


class FrozenInstanceError(AttributeError):
    pass


class _Missing:
    def __repr__(self):
        return '<dataclasses._MISSING_TYPE object>'


class _KwOnly:
    def __repr__(self):
        return '<dataclasses._KW_ONLY_TYPE object>'


MISSING = _Missing()
KW_ONLY = _KwOnly()


class InitVar:
    def __init__(self, type):
        self.type = type

    def __class_getitem__(cls, type):
        return InitVar(type)

    def __repr__(self):
        name = _getattr(self.type, '__name__', None)
        return f'dataclasses.InitVar[{name if isinstance(name, str) else repr(self.type)}]'


class Field:
    def __init__(self, default, default_factory, init, repr, hash, compare, metadata, kw_only):
        self.name = None
        self.type = None
        self.default = default
        self.default_factory = default_factory
        self.init = init
        self.repr = repr
        self.hash = hash
        self.compare = compare
        self.metadata = {} if metadata is None else dict(metadata)
        self.kw_only = kw_only
        self._kind = 'field'

    def __repr__(self):
        return (f'Field(name={self.name!r},type={self.type!r},default={self.default!r},'
                f'default_factory={self.default_factory!r},init={self.init!r},repr={self.repr!r},hash={self.hash!r},'
                f'compare={self.compare!r},metadata={self.metadata!r},kw_only={self.kw_only!r})')


def field(*, default=MISSING, default_factory=MISSING, init=True, repr=True, hash=None, compare=True, metadata=None,
          kw_only=MISSING):
    if default is not MISSING and default_factory is not MISSING:
        raise ValueError('cannot specify both default and default_factory')
    return Field(default, default_factory, init, repr, hash, compare, metadata, kw_only)


def _inherited(cls, name):
    found = cls.__dict__.get(name)
    return found if isinstance(found, dict) else {}


def _collect(cls, kw_only):
    fields = {}
    for base in reversed(_mro(cls)[1:]):
        fields.update(_inherited(base, '_dataclass_fields_'))
    own = cls.__dict__
    annotations = _annotations(cls)
    seen_marker = False
    for name, kind in annotations.items():
        if kind is KW_ONLY:
            if seen_marker:
                raise TypeError(f'{name!r} is KW_ONLY, but KW_ONLY has already been specified')
            seen_marker = kw_only = True
            continue
        if not isinstance(name, str) or not name.isidentifier() or not _public(name):
            raise TypeError(f'the name {name!r} is not available for a field in pycage')
        if _class_name(kind) == '_ClassVarAlias' or repr(kind) == 'typing.ClassVar':
            continue
        default = own.get(name, MISSING)
        if isinstance(default, Field):
            made = default
            if made.default is MISSING:
                delattr(cls, name)
            else:
                setattr(cls, name, made.default)
        else:
            made = field(default=default)
        made.name = name
        made.type = kind
        if isinstance(kind, InitVar) or kind is InitVar:
            made._kind = 'initvar'
        if made.kw_only is MISSING:
            made.kw_only = kw_only
        if isinstance(made.default, (list, dict, set)):
            raise ValueError(f'mutable default {_class(made.default)} for field {name} is not allowed: '
                             'use default_factory')
        fields[name] = made
    for name, value in own.items():
        if isinstance(value, Field) and name not in annotations:
            raise TypeError(f'{name!r} is a field but has no type annotation')
    return fields


def _listed(names):
    names = [repr(name) for name in names]
    if len(names) < 3:
        return ' and '.join(names)
    return ', '.join(names[:-1]) + ', and ' + names[-1]


def _has_default(f):
    return f.default is not MISSING or f.default_factory is not MISSING


def _make_init(cls, fields, frozen):
    all_fields = [*fields.values()]
    taken = [f for f in all_fields if f.init]
    positional = [f for f in taken if not f.kw_only]
    by_name = {f.name: f for f in taken}
    seen_default = False
    for f in positional:
        if _has_default(f):
            seen_default = True
        elif seen_default:
            raise TypeError(f'non-default argument {f.name!r} follows default argument')
    count = len(positional)
    required = len([f for f in positional if not _has_default(f)])
    has_post_init = _class_attribute(cls, '__post_init__') is not None
    plain = all([f.init and f._kind == 'field' and f.default_factory is MISSING for f in all_fields])
    names = [f.name for f in positional]
    store = _setattr if frozen else setattr

    def bind(args, kwargs):
        if len(args) > count:
            given = len(args) + 1
            takes = f'{count + 1}' if required == count else f'from {required + 1} to {count + 1}'
            plural = '' if count == 0 else 's'
            raise TypeError(f'{cls.__qualname__}.__init__() takes {takes} positional argument{plural} '
                            f'but {given} were given')
        values = dict(zip(names, args))
        for name, value in kwargs.items():
            if name not in by_name:
                raise TypeError(f'{cls.__qualname__}.__init__() got an unexpected keyword argument {name!r}')
            if name in values:
                raise TypeError(f'{cls.__qualname__}.__init__() got multiple values for argument {name!r}')
            values[name] = value
        missing = [f for f in taken if f.name not in values and not _has_default(f)]
        if missing:
            lacking = [f.name for f in missing if not f.kw_only]
            kind = 'positional'
            if not lacking:
                lacking = [f.name for f in missing]
                kind = 'keyword-only'
            plural = 's' if len(lacking) > 1 else ''
            raise TypeError(f'{cls.__qualname__}.__init__() missing {len(lacking)} required {kind} argument{plural}: '
                            + _listed(lacking))
        return values

    def init(self, /, *args, **kwargs):
        if plain and not kwargs and len(args) == len(all_fields) == count:
            # What most calls are.
            for name, value in zip(names, args):
                store(self, name, value)
        else:
            values = bind(args, kwargs)
            passed = []
            for f in all_fields:
                name = f.name
                if f.init and name in values:
                    value = values[name]
                elif f.default_factory is not MISSING:
                    value = f.default_factory()
                elif f.init and f.default is not MISSING:
                    value = f.default
                else:
                    continue
                if f._kind == 'initvar':
                    passed.append(value)
                else:
                    store(self, name, value)
            if has_post_init:
                _special(self, '__post_init__')(*passed)
            return
        if has_post_init:
            _special(self, '__post_init__')()

    return init


def _values(self, names):
    return tuple([getattr(self, name) for name in names])


def _make_repr(names):
    running = []

    def show(self):
        for other in running:
            if other is self:
                return '...'
        running.append(self)
        try:
            shown = ', '.join([f'{name}={getattr(self, name)!r}' for name in names])
        finally:
            running.pop()
        return f'{_class(self).__qualname__}({shown})'

    return show


def _make_eq(names):
    def equal(self, other):
        if _class(other) is not _class(self):
            return NotImplemented
        return _values(self, names) == _values(other, names)

    return equal


def _make_order(names, compare):
    def order(self, other):
        if _class(other) is not _class(self):
            return NotImplemented
        return compare(_values(self, names), _values(other, names))

    return order


def _make_hash(names):
    return lambda self: hash(_values(self, names))


def _make_frozen(cls, names):
    names = frozenset(names)

    def set_(self, name, value):
        if _class(self) is cls or name in names:
            raise FrozenInstanceError(f'cannot assign to field {name!r}')
        _setattr(self, name, value)

    def delete(self, name):
        raise FrozenInstanceError(f'cannot delete field {name!r}')

    return set_, delete


_ORDERS = (
    ('__lt__', lambda a, b: a < b),
    ('__le__', lambda a, b: a <= b),
    ('__gt__', lambda a, b: a > b),
    ('__ge__', lambda a, b: a >= b),
)


def _process(cls, init, repr, eq, order, unsafe_hash, frozen, kw_only):
    for base in _mro(cls)[1:]:
        if '_dataclass_frozen_' in base.__dict__ and bool(base.__dict__['_dataclass_frozen_']) != frozen:
            if frozen:
                raise TypeError('cannot inherit frozen dataclass from a non-frozen one')
            raise TypeError('cannot inherit non-frozen dataclass from a frozen one')
    fields = _collect(cls, kw_only)
    own = dict(cls.__dict__)
    has_eq = '__eq__' in own
    explicit_hash = '__hash__' in own and not (own['__hash__'] is None and has_eq)
    stored = [f for f in fields.values() if f._kind == 'field']
    compared = [f.name for f in stored if f.compare]

    def give(name, function):
        _setattr(function, '__name__', name)
        _setattr(function, '__qualname__', f'{cls.__qualname__}.{name}')
        _set_special(cls, name, function)

    _set_special(cls, '_dataclass_fields_', fields)
    _set_special(cls, '_dataclass_frozen_', frozen)
    if init:
        give('__init__', _make_init(cls, fields, frozen))
    if repr and '__repr__' not in own:
        give('__repr__', _make_repr([f.name for f in stored if f.repr]))
    if eq and not has_eq:
        give('__eq__', _make_eq(compared))
    if order:
        if not eq:
            raise ValueError('eq must be true if order is true')
        for name, compare in _ORDERS:
            if name in own:
                raise TypeError(f'Cannot overwrite attribute {name} in class {cls.__name__}. '
                                'Consider using functools.total_ordering')
            give(name, _make_order(compared, compare))
    if frozen:
        set_, delete = _make_frozen(cls, [f.name for f in stored])
        for name, function in (('__setattr__', set_), ('__delattr__', delete)):
            if name in own:
                raise TypeError(f'Cannot overwrite attribute {name} in class {cls.__name__}')
            give(name, function)
    hashed = [f.name for f in stored if (f.compare if f.hash is None else f.hash)]
    if unsafe_hash:
        if explicit_hash:
            raise TypeError(f'Cannot overwrite attribute __hash__ in class {cls.__name__}')
        give('__hash__', _make_hash(hashed))
    elif eq and frozen and not explicit_hash:
        give('__hash__', _make_hash(hashed))
    elif eq and not explicit_hash:
        _set_special(cls, '__hash__', None)
    return cls


def dataclass(cls=None, /, *, init=True, repr=True, eq=True, order=False, unsafe_hash=False, frozen=False, kw_only=False,
              match_args=True, slots=False):
    if slots:
        raise TypeError('dataclass(slots=True) is not available in pycage')

    def decorate(cls):
        if not _is_class(cls):
            raise TypeError('dataclass() should be called on a class')
        return _process(cls, init, repr, eq, order, unsafe_hash, bool(frozen), kw_only)

    return decorate if cls is None else decorate(cls)


def _fields_of(cls):
    found = []
    for f in _inherited_fields(cls).values():
        if isinstance(f, Field) and f._kind == 'field':
            found.append(f)
    return found


def _inherited_fields(cls):
    for base in _mro(cls):
        if '_dataclass_fields_' in base.__dict__:
            return _inherited(base, '_dataclass_fields_')
    return {}


def is_dataclass(obj):
    cls = obj if _is_class(obj) else _class(obj)
    return any(['_dataclass_fields_' in base.__dict__ for base in _mro(cls)])


def fields(class_or_instance):
    if not is_dataclass(class_or_instance):
        raise TypeError('must be called with a dataclass type or instance')
    return tuple(_fields_of(class_or_instance if _is_class(class_or_instance) else _class(class_or_instance)))


def _converted(obj, convert):
    if not _is_class(obj) and is_dataclass(obj):
        return convert([(f.name, _converted(getattr(obj, f.name), convert)) for f in fields(obj)])
    if isinstance(obj, tuple) and hasattr(obj, '_fields'):
        return _class(obj)(*[_converted(item, convert) for item in obj])
    if isinstance(obj, (list, tuple)):
        return _class(obj)([_converted(item, convert) for item in obj])
    if isinstance(obj, dict):
        return _class(obj)([(_converted(key, convert), _converted(value, convert)) for key, value in obj.items()])
    return _deepcopy(obj)


def asdict(obj, *, dict_factory=dict):
    if _is_class(obj) or not is_dataclass(obj):
        raise TypeError('asdict() should be called on dataclass instances')
    return _converted(obj, dict_factory)


def astuple(obj, *, tuple_factory=tuple):
    if _is_class(obj) or not is_dataclass(obj):
        raise TypeError('astuple() should be called on dataclass instances')
    return _converted(obj, lambda pairs: tuple_factory([value for _, value in pairs]))


def replace(obj, /, **changes):
    if _is_class(obj) or not is_dataclass(obj):
        raise TypeError('replace() should be called on dataclass instances')
    for f in _inherited_fields(_class(obj)).values():
        if not isinstance(f, Field):
            continue
        if not f.init:
            if f.name in changes:
                raise ValueError(f'field {f.name} is declared with init=False, it cannot be specified with replace()')
        elif f.name not in changes:
            if f._kind == 'initvar' and f.default is MISSING:
                raise ValueError(f'InitVar {f.name!r} must be specified with replace()')
            changes[f.name] = getattr(obj, f.name)
    return _class(obj)(**changes)


def make_dataclass(cls_name, fields, *, bases=(), namespace=None, **options):
    types = {}
    values = {}
    for item in fields:
        name, kind = item, 'typing.Any'
        if not isinstance(item, str):
            if len(item) == 2:
                name, kind = item
            elif len(item) == 3:
                name, kind, value = item
                values[name] = value
            else:
                raise TypeError(f'Invalid field: {item!r}')
        if not isinstance(name, str) or not name.isidentifier():
            raise TypeError(f'Field names must be valid identifiers: {name!r}')
        if name in types:
            raise TypeError(f'Field name duplicated: {name!r}')
        types[name] = kind
    values = {**({} if namespace is None else namespace), **values}
    for name in [*types, *values, cls_name]:
        if not isinstance(name, str) or not _public(name):
            raise TypeError(f'{name!r} is not available in pycage as a name of a class or of a field')

    class made(*bases):
        pass

    for name, value in values.items():
        _set_special(made, name, value)
    _set_special(made, '__annotations__', types)
    _set_special(made, '__name__', cls_name)
    _set_special(made, '__qualname__', cls_name)
    _set_special(made, '__module__', 'types')
    return dataclass(made, **options)
