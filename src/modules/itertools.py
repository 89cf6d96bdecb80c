# Iterators. Most are the interpreter's own, whose steps are metered; those that would copy their arguments are written here.


def _checked_length(r, pool):
    if r is None:
        return len(pool)
    r = _index(r)
    if r < 0:
        raise ValueError('r must be non-negative')
    return r


def product(*iterables, repeat=1):
    repeat = _index(repeat)
    if repeat < 0:
        raise ValueError('repeat argument cannot be negative')
    pools = [tuple(iterable) for iterable in iterables]
    if len(pools) * repeat > 1000000:
        raise OverflowError('repeat argument too large')
    return _product(pools * repeat)


def _product(pools):
    if not all(pools):
        return
    places = [0] * len(pools)
    current = [pool[0] for pool in pools]
    while True:
        yield tuple(current)
        for index in reversed(range(len(pools))):
            pool = pools[index]
            place = places[index] + 1
            if place < len(pool):
                places[index] = place
                current[index] = pool[place]
                break
            places[index] = 0
            current[index] = pool[0]
        else:
            return


def permutations(iterable, r=None):
    pool = tuple(iterable)
    return _permutations(pool, _checked_length(r, pool))


def _permutations(pool, r):
    n = len(pool)
    if r > n:
        return
    indices = [*range(n)]
    cycles = [*range(n, n - r, -1)]
    yield pool[:r]
    while n:
        for i in reversed(range(r)):
            cycles[i] -= 1
            if cycles[i] == 0:
                indices[i:] = indices[i + 1:] + indices[i:i + 1]
                cycles[i] = n - i
            else:
                j = cycles[i]
                indices[i], indices[-j] = indices[-j], indices[i]
                yield tuple([pool[index] for index in indices[:r]])
                break
        else:
            return


def combinations(iterable, r):
    pool = tuple(iterable)
    return _combinations(pool, _checked_length(r, pool))


def _combinations(pool, r):
    n = len(pool)
    if r > n:
        return
    indices = [*range(r)]
    yield pool[:r]
    while True:
        for i in reversed(range(r)):
            if indices[i] != i + n - r:
                break
        else:
            return
        indices[i] += 1
        for j in range(i + 1, r):
            indices[j] = indices[j - 1] + 1
        yield tuple([pool[index] for index in indices])


def combinations_with_replacement(iterable, r):
    pool = tuple(iterable)
    r = _checked_length(r, pool)
    if r > 1000000:
        raise OverflowError('r is too large')
    return _with_replacement(pool, r)


def _with_replacement(pool, r):
    n = len(pool)
    if not n and r:
        return
    indices = [0] * r
    yield tuple([pool[index] for index in indices])
    while True:
        for i in reversed(range(r)):
            if indices[i] != n - 1:
                break
        else:
            return
        indices[i:] = [indices[i] + 1] * (r - i)
        yield tuple([pool[index] for index in indices])
