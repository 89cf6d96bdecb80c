# Copies, shallow and deep, of containers and of objects of the script's classes.

from collections import deque as _deque


class Error(Exception):
    pass


error = Error

# In this order: a bool is an int.
_ATOMS = (int, float, complex, str, bytes)


def copy(x):
    kind = _native_class(x)
    if kind is None:
        return x
    method = _special(x, '__copy__')
    if method is not None:
        return method()
    new = _blank(x, kind, x)
    if kind is list:
        list.extend(new, x)
    elif kind is dict:
        for key, value in dict.items(x):
            dict.__setitem__(new, key, value)
    elif kind is set:
        set.update(new, x)
    elif kind is bytearray:
        bytearray.extend(new, x)
    for name, value in _state(x):
        _setattr(new, name, value)
    return new


def deepcopy(x, memo=None):
    return _deep(x, _memo())


def _blank(x, kind, content):
    # An object of the class of `x` that has not been initialised; `content` is for what cannot be filled later.
    cls = _class(x)
    if kind in (list, dict, set, bytearray, object):
        return kind.__new__(cls)
    if kind in (tuple, frozenset) or kind in _ATOMS:
        return kind.__new__(cls, content)
    if kind is _deque:
        return _deque([], x.maxlen)
    if isinstance(x, Exception):
        return kind.__new__(cls, *x.args)
    raise Error(f'un(deep)copyable object of type {cls!r}')


def _state(x):
    # Attributes of an object, also those in slots.
    own = _getattr(x, '__dict__', None)
    found = [] if own is None else [*own.items()]
    for cls in _mro(_class(x)):
        slots = cls.__dict__.get('__slots__', ())
        for name in slots:
            value = _getattr(x, name, _memo)
            if value is not _memo:
                found.append((name, value))
    return found


def _deep(x, memo):
    kind = _native_class(x)
    if kind is None:
        return x
    new = memo.find(x)
    if new is not None:
        return new
    method = _special(x, '__deepcopy__')
    if method is not None:
        new = method({})
        memo.keep(x, new)
        return new
    if kind is tuple or kind is frozenset:
        items = [_deep(item, memo) for item in x]
        new = memo.find(x)
        if new is not None:
            return new
        if kind is tuple and _class(x) is tuple:
            for old, item in zip(x, items):
                if old is not item:
                    break
            else:
                memo.keep(x, x)
                return x
        new = _blank(x, kind, items)
    elif kind in _ATOMS:
        new = _blank(x, kind, x)
    else:
        new = _blank(x, kind, None)
    memo.keep(x, new)
    if kind is list:
        for item in list.__iter__(x):
            list.append(new, _deep(item, memo))
    elif kind is dict:
        for key, value in dict.items(x):
            dict.__setitem__(new, _deep(key, memo), _deep(value, memo))
    elif kind is set:
        for item in set.__iter__(x):
            set.add(new, _deep(item, memo))
    elif kind is bytearray:
        bytearray.extend(new, x)
    elif kind is _deque:
        for item in x:
            new.append(_deep(item, memo))
    elif isinstance(x, Exception):
        new.args = _deep(x.args, memo)
    for name, value in _state(x):
        _setattr(new, name, _deep(value, memo))
    return new
