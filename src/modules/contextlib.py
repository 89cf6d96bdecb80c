# Context managers from generators and functions.

from functools import wraps as _wraps


class ContextDecorator:
    def _recreate_cm(self):
        return self

    def __call__(self, func):
        @_wraps(func)
        def inner(*args, **kwds):
            with self._recreate_cm():
                return func(*args, **kwds)

        return inner


class _GeneratorManager(ContextDecorator):
    def __init__(self, func, args, kwds):
        self._func = func
        self._args = args
        self._kwds = kwds
        self._gen = func(*args, **kwds)

    def _recreate_cm(self):
        return _GeneratorManager(self._func, self._args, self._kwds)

    def __enter__(self):
        for value in self._gen:
            return value
        raise RuntimeError("generator didn't yield")

    def __exit__(self, typ, value, traceback):
        if typ is None:
            for _ in self._gen:
                self._gen.close()
                raise RuntimeError("generator didn't stop")
            return False
        if value is None:
            value = typ()
        try:
            self._gen.throw(value)
        except StopIteration as stop:
            return stop is not value
        except RuntimeError as error:
            if error is value:
                return False
            if isinstance(value, StopIteration) and str(error) == 'generator raised StopIteration':
                return False
            raise
        except Exception as error:
            if error is value:
                return False
            raise
        self._gen.close()
        raise RuntimeError("generator didn't stop after throw()")


def contextmanager(func):
    @_wraps(func)
    def helper(*args, **kwds):
        return _GeneratorManager(func, args, kwds)

    return helper


class AbstractContextManager:
    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc_value, traceback):
        return None


class closing(AbstractContextManager):
    def __init__(self, thing):
        self.thing = thing

    def __enter__(self):
        return self.thing

    def __exit__(self, *exc_info):
        self.thing.close()


class suppress(AbstractContextManager):
    def __init__(self, *exceptions):
        self._exceptions = exceptions

    def __enter__(self):
        pass

    def __exit__(self, exctype, excinst, exctb):
        return exctype is not None and issubclass(exctype, self._exceptions)


class nullcontext(AbstractContextManager):
    def __init__(self, enter_result=None):
        self.enter_result = enter_result

    def __enter__(self):
        return self.enter_result

    def __exit__(self, *excinfo):
        pass

    async def __aenter__(self):
        return self.enter_result

    async def __aexit__(self, *excinfo):
        pass


class ExitStack(AbstractContextManager):
    def __init__(self):
        self._exits = []

    def pop_all(self):
        new = type(self)()
        new._exits = self._exits
        self._exits = []
        return new

    def push(self, exit):
        method = _special(exit, '__exit__')
        self._exits.append(exit if method is None else method)
        return exit

    def enter_context(self, cm):
        enter = _special(cm, '__enter__')
        leave = _special(cm, '__exit__')
        if enter is None or leave is None:
            cls = _class(cm)
            raise TypeError(f"'{_getattr(cls, '__module__')}.{cls.__qualname__}' object does not support the context manager protocol")
        result = enter()
        self._exits.append(leave)
        return result

    def callback(self, callback, /, *args, **kwds):
        def leave(exc_type, exc, tb):
            callback(*args, **kwds)

        self._exits.append(leave)
        return callback

    def close(self):
        self.__exit__(None, None, None)

    def __exit__(self, typ, value, traceback):
        pending = value
        handled = False
        while self._exits:
            leave = self._exits.pop()
            try:
                if leave(None if pending is None else type(pending), pending, None):
                    handled = pending is not None
                    pending = None
            except Exception as error:
                pending = error
        if pending is not None and pending is not value:
            raise pending
        return handled and pending is None


class AbstractAsyncContextManager:
    async def __aenter__(self):
        return self

    async def __aexit__(self, exc_type, exc_value, traceback):
        return None


class aclosing(AbstractAsyncContextManager):
    def __init__(self, thing):
        self.thing = thing

    async def __aenter__(self):
        return self.thing

    async def __aexit__(self, *exc_info):
        await self.thing.aclose()


class _AsyncGeneratorManager(AbstractAsyncContextManager):
    def __init__(self, gen):
        self._gen = gen

    async def __aenter__(self):
        async for value in self._gen:
            return value
        raise RuntimeError("generator didn't yield")

    async def __aexit__(self, typ, value, traceback):
        if typ is None:
            async for _ in self._gen:
                await self._gen.aclose()
                raise RuntimeError("generator didn't stop")
            return False
        if value is None:
            value = typ()
        try:
            await self._gen.athrow(value)
        except StopAsyncIteration as stop:
            return stop is not value
        except Exception as error:
            if error is value:
                return False
            raise
        await self._gen.aclose()
        raise RuntimeError("generator didn't stop after athrow()")


def asynccontextmanager(func):
    @_wraps(func)
    def helper(*args, **kwds):
        return _AsyncGeneratorManager(func(*args, **kwds))

    return helper


class AsyncExitStack(AbstractAsyncContextManager):
    def __init__(self):
        self._exits = []

    def pop_all(self):
        new = type(self)()
        new._exits = self._exits
        self._exits = []
        return new

    def push(self, exit):
        method = _special(exit, '__exit__')
        self._exits.append((False, exit if method is None else method))
        return exit

    def push_async_exit(self, exit):
        method = _special(exit, '__aexit__')
        self._exits.append((True, exit if method is None else method))
        return exit

    def enter_context(self, cm):
        enter, leave = _entered(cm, '__enter__', '__exit__', 'context manager')
        result = enter()
        self._exits.append((False, leave))
        return result

    async def enter_async_context(self, cm):
        enter, leave = _entered(cm, '__aenter__', '__aexit__', 'asynchronous context manager')
        result = await enter()
        self._exits.append((True, leave))
        return result

    def callback(self, callback, /, *args, **kwds):
        def leave(exc_type, exc, tb):
            callback(*args, **kwds)

        self._exits.append((False, leave))
        return callback

    def push_async_callback(self, callback, /, *args, **kwds):
        async def leave(exc_type, exc, tb):
            await callback(*args, **kwds)

        self._exits.append((True, leave))
        return callback

    async def aclose(self):
        await self.__aexit__(None, None, None)

    async def __aexit__(self, typ, value, traceback):
        pending = value
        handled = False
        while self._exits:
            is_async, leave = self._exits.pop()
            try:
                found = leave(None if pending is None else type(pending), pending, None)
                if is_async:
                    found = await found
                if found:
                    handled = pending is not None
                    pending = None
            except Exception as error:
                pending = error
        if pending is not None and pending is not value:
            raise pending
        return handled and pending is None


def _entered(cm, enter, leave, protocol):
    enter, leave = _special(cm, enter), _special(cm, leave)
    if enter is None or leave is None:
        cls = _class(cm)
        raise TypeError(f"'{_getattr(cls, '__module__')}.{cls.__qualname__}' object does not support the {protocol} protocol")
    return enter, leave
