# Statistics of ints and floats. Sums are exact, as ratios of ints, and rounded once.

from bisect import bisect_left as _bisect_left, bisect_right as _bisect_right
from collections import Counter as _Counter, namedtuple as _namedtuple
from math import exp as _exp, fsum as _fsum, gcd as _gcd, isqrt as _isqrt, log as _log, sqrt as _sqrt


class StatisticsError(ValueError):
    pass


def _sums(data):
    # The count, the sum and the sum of squares as ratios, and whether all are ints; for what is not finite, a float.
    parts = {}
    squares = {}
    count = 0
    ints = True
    special = None
    for x in data:
        count += 1
        if not isinstance(x, int):
            ints = False
            if not isinstance(x, float):
                raise TypeError(f"can't convert type '{_class_name(x)}' to numerator/denominator")
            if x - x != 0:
                special = x if special is None else special + x
                continue
        n, d = x.as_integer_ratio()
        parts[d] = parts.get(d, 0) + n
        squares[d * d] = squares.get(d * d, 0) + n * n
    return count, _total(parts), _total(squares), ints, special


def _total(parts):
    # All denominators are powers of two, so the greatest is a multiple of each.
    den = max(parts, default=1)
    return sum([n * (den // d) for d, n in parts.items()]), den


def _value(n, d, ints):
    if ints and n % d == 0:
        return n // d
    return n / d


def mean(data):
    count, (n, d), _, ints, special = _sums(data)
    if count < 1:
        raise StatisticsError('mean requires at least one data point')
    return special / count if special is not None else _value(n, d * count, ints)


def _spread(data, center, least, name):
    # The sum of squared deviations as a ratio, with its count.
    if center is not None:
        data = [(x - center) * (x - center) for x in data]
        count, (n, d), _, ints, special = _sums(data)
    else:
        count, (n, d), (n2, d2), ints, special = _sums(data)
    if count < least:
        raise StatisticsError(f'{name} requires at least {"two data points" if least == 2 else "one data point"}')
    if center is None:
        # count * squares - sum * sum, over count.
        n, d = count * n2 * (d * d) - n * n * d2, d2 * d * d * count
    return n, d, count, ints, special


def variance(data, xbar=None):
    n, d, count, ints, special = _spread(data, xbar, 2, 'variance')
    return special - special if special is not None else _value(n, d * (count - 1), ints)


def pvariance(data, mu=None):
    n, d, count, ints, special = _spread(data, mu, 1, 'pvariance')
    return special - special if special is not None else _value(n, d * count, ints)


def _root_to_odd(n, m):
    root = _isqrt(n // m)
    return root | (root * root * m != n)


def _root(n, d):
    # Rounded once.
    if n == 0:
        return 0.0
    shared = _gcd(n, d)
    n //= shared
    d //= shared
    q = (n.bit_length() - d.bit_length() - 109) // 2
    if q >= 0:
        return float(_root_to_odd(n, d << 2 * q) << q)
    return _root_to_odd(n << -2 * q, d) / (1 << -q)


def stdev(data, xbar=None):
    n, d, count, ints, special = _spread(data, xbar, 2, 'stdev')
    return special - special if special is not None else _root(n, d * (count - 1))


def pstdev(data, mu=None):
    n, d, count, ints, special = _spread(data, mu, 1, 'pstdev')
    return special - special if special is not None else _root(n, d * count)


def fmean(data, weights=None):
    data = [*data]
    if weights is None:
        if not data:
            raise StatisticsError('fmean requires at least one data point')
        return _fsum(data) / len(data)
    weights = [*weights]
    if len(data) != len(weights):
        raise StatisticsError('data and weights must be the same length')
    total = _fsum(weights)
    if not total:
        raise StatisticsError('sum of weights must be non-zero')
    return _fsum([x * weight for x, weight in zip(data, weights)]) / total


def geometric_mean(data):
    try:
        return _exp(fmean([_log(x) for x in data]))
    except ValueError:
        raise StatisticsError('geometric mean requires a non-empty dataset containing positive numbers') from None


def median(data):
    data = sorted(data)
    n = len(data)
    if n == 0:
        raise StatisticsError('no median for empty data')
    if n % 2 == 1:
        return data[n // 2]
    return (data[n // 2 - 1] + data[n // 2]) / 2


def median_low(data):
    data = sorted(data)
    if not data:
        raise StatisticsError('no median for empty data')
    return data[(len(data) - 1) // 2]


def median_high(data):
    data = sorted(data)
    if not data:
        raise StatisticsError('no median for empty data')
    return data[len(data) // 2]


def median_grouped(data, interval=1.0):
    data = sorted(data)
    n = len(data)
    if not n:
        raise StatisticsError('no median for empty data')
    x = data[n // 2]
    i = _bisect_left(data, x)
    j = _bisect_right(data, x, lo=i)
    interval = float(interval)
    return float(x) - interval / 2.0 + interval * (n / 2 - i) / (j - i)


def mode(data):
    for value, _ in _Counter(iter(data)).most_common(1):
        return value
    raise StatisticsError('no mode for empty data')


def multimode(data):
    counts = _Counter(iter(data))
    most = max(counts.values(), default=0)
    return [value for value, count in counts.items() if count == most]


def quantiles(data, *, n=4, method='exclusive'):
    if n < 1:
        raise StatisticsError('n must be at least 1')
    data = sorted(data)
    size = len(data)
    if size < 2:
        raise StatisticsError('must have at least two data points')
    result = []
    if method == 'inclusive':
        for i in range(1, n):
            j, delta = divmod(i * (size - 1), n)
            result.append((data[j] * (n - delta) + data[j + 1] * delta) / n)
        return result
    if method == 'exclusive':
        for i in range(1, n):
            j = min(max(i * (size + 1) // n, 1), size - 1)
            delta = i * (size + 1) - j * n
            result.append((data[j - 1] * (n - delta) + data[j] * delta) / n)
        return result
    raise ValueError(f'Unknown method: {method!r}')


def _paired(x, y, name):
    if len(y) != len(x):
        raise StatisticsError(f'{name} requires that both inputs have same number of data points')
    if len(x) < 2:
        raise StatisticsError(f'{name} requires at least two data points')
    x, y = [*x], [*y]
    xbar = _fsum(x) / len(x)
    ybar = _fsum(y) / len(y)
    return xbar, ybar, [xi - xbar for xi in x], [yi - ybar for yi in y]


def _products(x, y):
    return _fsum([xi * yi for xi, yi in zip(x, y)])


def covariance(x, y, /):
    _, _, x, y = _paired(x, y, 'covariance')
    return _products(x, y) / (len(x) - 1)


def correlation(x, y, /):
    _, _, x, y = _paired(x, y, 'correlation')
    try:
        return _products(x, y) / _sqrt(_products(x, x) * _products(y, y))
    except ZeroDivisionError:
        raise StatisticsError('at least one of the inputs is constant') from None


_LinearRegression = _namedtuple('LinearRegression', ('slope', 'intercept'))


def linear_regression(x, y, /, *, proportional=False):
    xbar, ybar, dx, dy = _paired(x, y, 'linear regression')
    if proportional:
        dx, dy = [*x], [*y]
    try:
        slope = _products(dx, dy) / _products(dx, dx)
    except ZeroDivisionError:
        raise StatisticsError('x is constant') from None
    return _LinearRegression(slope, 0.0 if proportional else ybar - slope * xbar)
