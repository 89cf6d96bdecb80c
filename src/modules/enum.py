# Enumerations. The class of an enumeration is itself of a class of this module, so that it can be called and iterated over.
# That one stays in here: a script's `type(Color)` is `type`, as for any class.


class _Deferred:
    # What a class body says of an automatic value before there is one, such as `READ | WRITE`.
    def __init__(self, compute):
        self._compute = compute

    def __or__(self, other):
        return _Deferred(lambda: _resolved(self) | _resolved(other))

    def __and__(self, other):
        return _Deferred(lambda: _resolved(self) & _resolved(other))

    def __xor__(self, other):
        return _Deferred(lambda: _resolved(self) ^ _resolved(other))

    def __invert__(self):
        return _Deferred(lambda: ~_resolved(self))

    __ror__ = __or__
    __rand__ = __and__
    __rxor__ = __xor__


class auto(_Deferred):
    def __init__(self):
        self._value = None


class nonmember:
    def __init__(self, value):
        self.value = value


class member:
    def __init__(self, value):
        self.value = value


def _resolved(value):
    if isinstance(value, auto):
        if value._value is None:
            raise TypeError('the value of auto() is not known yet')
        return value._value
    return value._compute() if isinstance(value, _Deferred) else value


def _iter(cls):
    return iter([cls._map[name] for name in cls._names])


def _reversed(cls):
    return iter([cls._map[name] for name in reversed(cls._names)])


def _contains(cls, member):
    if not isinstance(member, Enum):
        raise TypeError(f"unsupported operand type(s) for 'in': '{_class(member).__qualname__}' "
                        f"and '{_class(cls).__qualname__}'")
    return isinstance(member, cls) and member._name_ in cls._map


def _call(cls, value, names=None, *, start=1):
    if names is None:
        return _find(cls, value)
    if not isinstance(value, str) or cls._names:
        raise TypeError(f'{cls!r} cannot be extended')
    if isinstance(names, str):
        names = names.replace(',', ' ').split()
    members = {}
    last_values = []
    for item in names.items() if isinstance(names, dict) else names:
        if isinstance(item, str):
            item = item, cls._generate_next_value_(item, start, len(members), last_values[:])
        name, made = item
        if not isinstance(name, str) or not name.isidentifier() or not _public(name) or name in members:
            raise ValueError(f'invalid enum member name: {name!r}')
        members[name] = made
        last_values.append(made)
    return _new_class(value, (cls,), members)


def _set(cls, name, value):
    if not _public(name) or name in cls._map:
        raise AttributeError(f'cannot reassign member {name!r}')
    _set_special(cls, name, value)


def _delete(cls, name):
    raise AttributeError(f'{cls.__name__!r} cannot delete member {name!r}.')


def _class_repr(cls):
    return f"<flag {cls.__name__!r}>" if Flag is not None and issubclass(cls, Flag) else f"<enum {cls.__name__!r}>"


_EnumType = _new_metaclass('EnumType', {
    '__iter__': _iter,
    '__reversed__': _reversed,
    '__len__': lambda cls: len(cls._names),
    '__bool__': lambda cls: True,
    '__contains__': _contains,
    '__getitem__': lambda cls, name: cls._map[name],
    '__call__': _call,
    '__setattr__': _set,
    '__delattr__': _delete,
    '__repr__': _class_repr,
})


def _find(cls, value):
    if _class(value) is cls:
        return value
    try:
        if value in cls._values:
            return cls._values[value]
    except TypeError:
        # A value without a hash.
        for made in cls._map.values():
            if made._value_ == value:
                return made
    made = cls._missing_(value)
    if made is None:
        raise ValueError(f'{value!r} is not a valid {cls.__qualname__}')
    if not isinstance(made, cls):
        raise TypeError(f'error in {cls.__name__}._missing_: returned {made!r} instead of None or a valid member')
    return made


_KINDS = (int, str, float, bytes, tuple, complex)


def _data_type(cls):
    for base in _mro(cls):
        if base in _KINDS:
            return base
    return None


def _make(cls, kind, value):
    # A member as an object, without its name.
    args = value if isinstance(value, tuple) else (value,)
    if kind is None:
        made = object.__new__(cls)
    elif kind is tuple:
        args = (value,)
        made = tuple.__new__(cls, value)
    else:
        made = kind.__new__(cls, *args)
        value = kind(*args)
    _setattr(made, '_value_', value)
    init = _class_attribute(cls, '__init__')
    if init is not _class_attribute(object, '__init__') and init is not _class_attribute(kind or object, '__init__'):
        _special(made, '__init__')(*args)
    return made


def _is_member(name, value):
    if name.startswith('_') or _is_class(value) or isinstance(value, nonmember):
        return False
    return isinstance(value, (_Deferred, member)) or _special(value, '__get__') is None


def _define(cls):
    for base in _mro(cls)[1:]:
        if base.__dict__.get('_names'):
            raise TypeError(f'{cls!r} cannot extend {base!r}')
    kind = _data_type(cls)
    own = dict(cls.__dict__)
    if kind is not None:
        # What a member shows is the enumeration's to say, not its data type's.
        for name in ('__repr__', '__str__', '__format__'):
            if _class_attribute(cls, name) is _class_attribute(kind, name):
                _set_special(cls, name, _class_attribute(Enum, name))
    members = {}
    names = []
    values = {}
    _set_special(cls, '_map', members)
    _set_special(cls, '_names', names)
    _set_special(cls, '_values', values)
    last_values = []
    for name, value in own.items():
        if isinstance(value, nonmember):
            _set_special(cls, name, value.value)
            continue
        if not _is_member(name, value):
            continue
        if isinstance(value, member):
            value = value.value
        parts = value if isinstance(value, tuple) else (value,)
        for part in parts:
            if isinstance(part, auto) and part._value is None:
                part._value = cls._generate_next_value_(name, 1, len(names), last_values[:])
        value = tuple([_resolved(part) for part in parts]) if isinstance(value, tuple) else _resolved(value)
        made = _make(cls, kind, value)
        last_values.append(made._value_)
        for known in members.values():
            if known._value_ == made._value_:
                made = known
                break
        else:
            _setattr(made, '_name_', name)
            if Flag is None or not issubclass(cls, Flag) or _single(made._value_):
                names.append(name)
            try:
                values[made._value_] = made
            except TypeError:
                # It is found by comparing.
                pass
        members[name] = made
        _set_special(cls, name, made)


def _single(value):
    return value > 0 and value & value - 1 == 0


def _next_value(name, start, count, last_values):
    for value in reversed(last_values):
        try:
            return value + 1
        except TypeError:
            pass
    return start


def _enum_repr(self):
    return f'<{_class(self).__name__}.{self._name_}: {self._value_!r}>'


def _enum_str(self):
    return f'{_class(self).__name__}.{self._name_}'


Flag = None

Enum = _new_enum(_EnumType, 'Enum', {
    '_map': {},
    '_names': [],
    '_values': {},
    'name': property(lambda self: self._name_),
    'value': property(lambda self: self._value_),
    '_generate_next_value_': staticmethod(_next_value),
    '_missing_': classmethod(lambda cls, value: None),
    '__init_subclass__': classmethod(_define),
    '__repr__': _enum_repr,
    '__str__': _enum_str,
    '__format__': lambda self, spec: format(str(self), spec),
    '__hash__': lambda self: hash(self._name_),
    '__copy__': lambda self: self,
    '__deepcopy__': lambda self, memo: self,
})


class IntEnum(int, Enum):
    def __str__(self):
        return str(self._value_)

    def __format__(self, spec):
        return format(self._value_, spec)


class StrEnum(str, Enum):
    def _generate_next_value_(name, start, count, last_values):
        return name.lower()

    def __str__(self):
        return self._value_

    def __format__(self, spec):
        return format(self._value_, spec)


def _known(cls):
    bits = 0
    for made in cls._map.values():
        bits |= made._value_
    return bits


def _parts(self):
    # The members of one bit that a value has.
    value = self._value_
    cls = _class(self)
    return [cls._map[name] for name in cls._names if cls._map[name]._value_ & value]


def _other(self, other):
    if isinstance(other, _class(self)):
        return other._value_
    return int(other) if isinstance(self, int) and isinstance(other, int) else None


class Flag(Enum):
    def _generate_next_value_(name, start, count, last_values):
        return 1 << max(last_values).bit_length() if last_values else start

    @classmethod
    def _missing_(cls, value):
        if not isinstance(value, int):
            raise ValueError(f'{value!r} is not a valid {cls.__qualname__}')
        known = _known(cls)
        keeps = issubclass(cls, int)
        if value < 0:
            value += 1 << max(known.bit_length(), (~value).bit_length())
        if value & ~known and not keeps:
            raise ValueError(f'{cls!r} invalid value {value!r}\n    given {bin(value)}\n  allowed {bin(known)}')
        if value in cls._values:
            return cls._values[value]
        made = int.__new__(cls, value) if keeps else object.__new__(cls)
        _setattr(made, '_value_', value)
        names = [part._name_ for part in sorted(_parts(made), key=lambda part: part._value_)]
        if names and value & ~known:
            names.append(str(value & ~known))
        _setattr(made, '_name_', '|'.join(names) if names else None)
        cls._values[value] = made
        return made

    def __contains__(self, other):
        if not isinstance(other, _class(self)):
            raise TypeError(f"unsupported operand type(s) for 'in': '{_class(other).__qualname__}' "
                            f"and '{_class(self).__qualname__}'")
        return other._value_ & self._value_ == other._value_

    def __iter__(self):
        return iter(sorted(_parts(self), key=lambda part: part._value_))

    def __len__(self):
        return len(_parts(self))

    def __bool__(self):
        return self._value_ != 0

    def __or__(self, other):
        other = _other(self, other)
        return NotImplemented if other is None else _class(self)(self._value_ | other)

    def __and__(self, other):
        other = _other(self, other)
        return NotImplemented if other is None else _class(self)(self._value_ & other)

    def __xor__(self, other):
        other = _other(self, other)
        return NotImplemented if other is None else _class(self)(self._value_ ^ other)

    __ror__ = __or__
    __rand__ = __and__
    __rxor__ = __xor__

    def __invert__(self):
        if isinstance(self, int):
            return _class(self)(~self._value_)
        return _class(self)(_known(_class(self)) & ~self._value_)

    def __repr__(self):
        name = _class(self).__name__
        return f'<{name}: {self._value_!r}>' if self._name_ is None else f'<{name}.{self._name_}: {self._value_!r}>'

    def __str__(self):
        name = _class(self).__name__
        return f'{name}({self._value_!r})' if self._name_ is None else f'{name}.{self._name_}'

    def __hash__(self):
        return hash(self._value_)


class IntFlag(int, Flag):
    __contains__ = Flag.__contains__
    __iter__ = Flag.__iter__
    __len__ = Flag.__len__
    __bool__ = Flag.__bool__
    __or__ = __ror__ = Flag.__or__
    __and__ = __rand__ = Flag.__and__
    __xor__ = __rxor__ = Flag.__xor__
    __invert__ = Flag.__invert__
    __repr__ = Flag.__repr__

    def __str__(self):
        return str(self._value_)

    def __format__(self, spec):
        return format(self._value_, spec)

    def __hash__(self):
        return hash(self._value_)


def unique(enumeration):
    aliases = [(name, made._name_) for name, made in enumeration._map.items() if name != made._name_]
    if aliases:
        shown = ', '.join([f'{alias} -> {name}' for alias, name in aliases])
        raise ValueError(f'duplicate values found in {enumeration!r}: {shown}')
    return enumeration
