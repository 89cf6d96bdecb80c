# Functions that work on functions.

from collections import namedtuple as _namedtuple

WRAPPER_ASSIGNMENTS = ('__module__', '__name__', '__qualname__', '__doc__')
WRAPPER_UPDATES = ('__dict__',)

_missing = object()
_CacheInfo = _namedtuple('CacheInfo', ['hits', 'misses', 'maxsize', 'currsize'])


def reduce(function, iterable, initial=_missing, /):
    items = iter(iterable)
    if initial is _missing:
        for initial in items:
            break
        else:
            raise TypeError('reduce() of empty iterable with no initial value')
    for item in items:
        initial = function(initial, item)
    return initial


def update_wrapper(wrapper, wrapped, assigned=WRAPPER_ASSIGNMENTS, updated=WRAPPER_UPDATES):
    for name in WRAPPER_ASSIGNMENTS:
        if name in assigned:
            value = _getattr(wrapped, name, _missing)
            if value is not _missing:
                _setattr(wrapper, name, value)
    if '__dict__' in updated:
        own = _getattr(wrapper, '__dict__', None)
        if own is not None:
            own.update(_getattr(wrapped, '__dict__', {}))
    return wrapper


def wraps(wrapped, assigned=WRAPPER_ASSIGNMENTS, updated=WRAPPER_UPDATES):
    def decorate(wrapper):
        return update_wrapper(wrapper, wrapped, assigned, updated)

    return decorate


class partial:
    def __init__(self, func, /, *args, **keywords):
        if not callable(func):
            raise TypeError('the first argument must be callable')
        if isinstance(func, partial):
            args = func._args + args
            keywords = {**func._keywords, **keywords}
            func = func._func
        self._func = func
        self._args = args
        self._keywords = keywords

    @property
    def func(self):
        return self._func

    @property
    def args(self):
        return self._args

    @property
    def keywords(self):
        return self._keywords

    def __call__(self, /, *args, **keywords):
        return self._func(*self._args, *args, **{**self._keywords, **keywords})

    def __repr__(self):
        parts = [repr(self._func)]
        parts.extend(repr(arg) for arg in self._args)
        parts.extend(f'{name}={value!r}' for name, value in self._keywords.items())
        return 'functools.partial(' + ', '.join(parts) + ')'


class partialmethod:
    def __init__(self, func, /, *args, **keywords):
        if not callable(func) and _special(func, '__get__') is None:
            raise TypeError(f'{func!r} is not callable or a descriptor')
        self._func = func
        self._args = args
        self._keywords = keywords

    def __get__(self, instance, owner=None):
        if instance is None:
            return partial(self._func, *self._args, **self._keywords)
        return partial(self._func, instance, *self._args, **self._keywords)


def cmp_to_key(mycmp):
    class K:
        def __init__(self, obj):
            self.obj = obj

        def __lt__(self, other):
            return mycmp(self.obj, other.obj) < 0

        def __gt__(self, other):
            return mycmp(self.obj, other.obj) > 0

        def __eq__(self, other):
            return mycmp(self.obj, other.obj) == 0

        def __le__(self, other):
            return mycmp(self.obj, other.obj) <= 0

        def __ge__(self, other):
            return mycmp(self.obj, other.obj) >= 0

        __hash__ = None

    return K


class _Cached:
    def __init__(self, function, maxsize, typed):
        self._function = function
        self._maxsize = maxsize
        self._typed = typed
        self._kept = {}
        self._hits = 0
        self._misses = 0
        update_wrapper(self, function)

    def __call__(self, /, *args, **keywords):
        key = args
        if keywords:
            key = key + (_missing,)
            for item in keywords.items():
                key = key + item
        if self._typed:
            key = key + tuple(type(arg) for arg in args) + tuple(type(arg) for arg in keywords.values())
        kept = self._kept
        value = kept.get(key, _missing)
        if value is not _missing:
            self._hits += 1
            if self._maxsize is not None:
                del kept[key]
                kept[key] = value
            return value
        self._misses += 1
        value = self._function(*args, **keywords)
        if self._maxsize != 0:
            if self._maxsize is not None and key not in kept and len(kept) >= self._maxsize:
                for oldest in kept:
                    break
                del kept[oldest]
            kept[key] = value
        return value

    def __get__(self, instance, owner=None):
        return self if instance is None else partial(self, instance)

    def __repr__(self):
        return f'<functools._lru_cache_wrapper object>'

    def cache_info(self):
        return _CacheInfo(self._hits, self._misses, self._maxsize, len(self._kept))

    def cache_clear(self):
        self._kept.clear()
        self._hits = self._misses = 0

    def cache_parameters(self):
        return {'maxsize': self._maxsize, 'typed': self._typed}


def lru_cache(maxsize=128, typed=False):
    if isinstance(maxsize, int):
        maxsize = max(maxsize, 0)
    elif callable(maxsize) and isinstance(typed, bool):
        return _Cached(maxsize, 128, False)
    elif maxsize is not None:
        raise TypeError('Expected first argument to be an integer, a callable, or None')

    def decorate(function):
        return _Cached(function, maxsize, typed)

    return decorate


def cache(user_function, /):
    return _Cached(user_function, None, False)


class cached_property:
    def __init__(self, func):
        self._func = func
        self._name = None

    @property
    def func(self):
        return self._func

    def __set_name__(self, owner, name):
        if self._name is None:
            self._name = name
        elif name != self._name:
            raise TypeError('Cannot assign the same cached_property to two different names '
                            f'({self._name!r} and {name!r}).')

    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        if self._name is None:
            raise TypeError('Cannot use cached_property instance without calling __set_name__ on it.')
        kept = instance.__dict__
        value = kept.get(self._name, _missing)
        if value is _missing:
            value = self._func(instance)
            kept[self._name] = value
        return value


def _ordered(name, root, combine):
    def compare(self, other):
        result = _special(self, root)(other)
        return result if result is NotImplemented else combine(result, self, other)

    compare.__name__ = name
    return compare


_CONVERT = {
    '__lt__': [
        ('__gt__', lambda result, self, other: not result and self != other),
        ('__le__', lambda result, self, other: result or self == other),
        ('__ge__', lambda result, self, other: not result),
    ],
    '__le__': [
        ('__ge__', lambda result, self, other: not result or self == other),
        ('__lt__', lambda result, self, other: result and self != other),
        ('__gt__', lambda result, self, other: not result),
    ],
    '__gt__': [
        ('__lt__', lambda result, self, other: not result and self != other),
        ('__ge__', lambda result, self, other: result or self == other),
        ('__le__', lambda result, self, other: not result),
    ],
    '__ge__': [
        ('__le__', lambda result, self, other: not result or self == other),
        ('__gt__', lambda result, self, other: result and self != other),
        ('__lt__', lambda result, self, other: not result),
    ],
}


def total_ordering(cls):
    roots = [name for name in _CONVERT if _getattr(cls, name, None) is not _getattr(object, name, None)]
    if not roots:
        raise ValueError('must define at least one ordering operation: < > <= >=')
    root = '__lt__' if '__lt__' in roots else max(roots)
    for name, combine in _CONVERT[root]:
        if name not in roots:
            _set_special(cls, name, _ordered(name, root, combine))
    return cls


class _Dispatcher:
    def __init__(self, function):
        self._kinds = {object: function}
        self._function = function
        update_wrapper(self, function)

    def __call__(self, /, *args, **keywords):
        if not args:
            raise TypeError(f'{self._function.__name__} requires at least 1 positional argument')
        return self.dispatch(_class(args[0]))(*args, **keywords)

    def dispatch(self, cls):
        for base in _mro(cls):
            if base in self._kinds:
                return self._kinds[base]
        return self._function

    @property
    def registry(self):
        return dict(self._kinds)

    def register(self, cls, func=None):
        if func is None:
            if _is_class(cls):
                return lambda func: self.register(cls, func)
            func = cls
            annotations = [kind for name, kind in _annotations(func).items() if name != 'return']
            if not annotations or not _is_class(annotations[0]):
                raise TypeError(f'Invalid first argument to `register()`: {cls!r}. Use either `@register(some_class)` '
                                'or plain `@register` on an annotated function.')
            cls = annotations[0]
        elif not _is_class(cls):
            raise TypeError('Invalid first argument to `register()`. ' f'{cls!r} is not a class or union type.')
        self._kinds[cls] = func
        return func


def singledispatch(func):
    return _Dispatcher(func)


class singledispatchmethod:
    def __init__(self, func):
        if not callable(func) and _special(func, '__get__') is None:
            raise TypeError(f'{func!r} is not callable or a descriptor')
        self._dispatcher = _Dispatcher(func)

    def register(self, cls, method=None):
        return self._dispatcher.register(cls, method)

    def __get__(self, instance, owner=None):
        def method(*args, **keywords):
            return self._dispatcher.dispatch(_class(args[0]))(instance, *args, **keywords)

        return method
