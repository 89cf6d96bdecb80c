# Heaps in lists, with CPython's order of comparisons.


def heappush(heap, item, /):
    heap.append(item)
    _sift_down(heap, 0, len(heap) - 1)


def heappop(heap, /):
    if not heap:
        raise IndexError('index out of range')
    last = heap.pop()
    if heap:
        smallest = heap[0]
        heap[0] = last
        _sift_up(heap, 0)
        return smallest
    return last


def heapreplace(heap, item, /):
    if not heap:
        raise IndexError('index out of range')
    smallest = heap[0]
    heap[0] = item
    _sift_up(heap, 0)
    return smallest


def heappushpop(heap, item, /):
    if heap and heap[0] < item:
        item, heap[0] = heap[0], item
        _sift_up(heap, 0)
    return item


def heapify(x, /):
    for position in reversed(range(len(x) // 2)):
        _sift_up(x, position)


def _sift_down(heap, start, position):
    item = heap[position]
    while position > start:
        parent = (position - 1) >> 1
        above = heap[parent]
        if not item < above:
            break
        heap[position] = above
        position = parent
    heap[position] = item


def _sift_up(heap, position):
    end = len(heap)
    start = position
    item = heap[position]
    child = 2 * position + 1
    while child < end:
        right = child + 1
        if right < end and not heap[child] < heap[right]:
            child = right
        heap[position] = heap[child]
        position = child
        child = 2 * position + 1
    heap[position] = item
    _sift_down(heap, start, position)


def nsmallest(n, iterable, key=None):
    return sorted(iterable, key=key)[:max(n, 0)]


def nlargest(n, iterable, key=None):
    return sorted(iterable, key=key, reverse=True)[:max(n, 0)]


class _Head:
    def __init__(self, key, order, value, rest, reverse):
        self._key = key
        self._order = order
        self._value = value
        self._rest = rest
        self._reverse = reverse

    def __lt__(self, other):
        if self._reverse:
            if other._key < self._key:
                return True
            if self._key < other._key:
                return False
        else:
            if self._key < other._key:
                return True
            if other._key < self._key:
                return False
        return self._order < other._order


def merge(*iterables, key=None, reverse=False):
    heap = []
    for order, iterable in enumerate(iterables):
        rest = iter(iterable)
        for value in rest:
            heap.append(_Head(value if key is None else key(value), order, value, rest, reverse))
            break
    heapify(heap)
    while heap:
        head = heap[0]
        yield head._value
        for value in head._rest:
            heapreplace(heap, _Head(value if key is None else key(value), head._order, value, head._rest, reverse))
            break
        else:
            heappop(heap)
