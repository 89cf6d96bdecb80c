# Statistics of ints and floats. Sums are exact, as ratios of ints, and rounded once.

from bisect import bisect_left as _bisect_left, bisect_right as _bisect_right
from collections import Counter as _Counter, namedtuple as _namedtuple
from math import (erf as _erf, exp as _exp, fabs as _fabs, fsum as _fsum, gcd as _gcd, hypot as _hypot, isqrt as _isqrt,
                  log as _log, sqrt as _sqrt, tau as _tau)


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


def harmonic_mean(data, weights=None):
    data = [*data]
    n = len(data)
    if n < 1:
        raise StatisticsError('harmonic_mean requires at least one data point')
    if n == 1 and weights is None:
        if not isinstance(data[0], (int, float)):
            raise TypeError('unsupported type')
        if data[0] < 0:
            raise StatisticsError('harmonic mean does not support negative values')
        return data[0]
    weights = [1] * n if weights is None else [*weights]
    if len(weights) != n:
        raise StatisticsError('Number of weights does not match data size')
    for x in weights + data:
        if x < 0:
            raise StatisticsError('harmonic mean does not support negative values')
    _, (wn, wd), _, _, _ = _sums(weights)
    try:
        _, (n, d), _, ints, special = _sums([w / x if w else 0 for w, x in zip(weights, data)])
    except ZeroDivisionError:
        return 0
    if special is not None:
        return wn / wd / special
    if n <= 0:
        raise StatisticsError('Weighted sum must be positive')
    return _value(wn * d, wd * n, ints)


# The coefficients of algorithm AS241: the inverse of the normal distribution.
_CENTRE = (
    (
        2509.0809287301227, 33430.57558358813, 67265.7709270087, 45921.95393154987, 13731.69376550946,
        1971.5909503065513, 133.14166789178438, 3.3871328727963665
    ),
    (
        5226.495278852854, 28729.085735721943, 39307.89580009271, 21213.794301586597, 5394.196021424751,
        687.1870074920579, 42.31333070160091, 1.0
    ),
)
_NEAR = (
    (
        0.0007745450142783414, 0.022723844989269184, 0.2417807251774506, 1.2704582524523684, 3.6478483247632045,
        5.769497221460691, 4.630337846156546, 1.4234371107496835
    ),
    (
        1.0507500716444169e-09, 0.0005475938084995345, 0.015198666563616457, 0.14810397642748008, 0.6897673349851,
        1.6763848301838038, 2.053191626637759, 1.0
    ),
)
_FAR = (
    (
        2.0103343992922881e-07, 2.7115555687434876e-05, 0.0012426609473880784, 0.026532189526576124,
        0.29656057182850487, 1.7848265399172913, 5.463784911164114, 6.657904643501103
    ),
    (
        2.0442631033899397e-15, 1.421511758316446e-07, 1.8463183175100548e-05, 0.0007868691311456133,
        0.014875361290850615, 0.1369298809227358, 0.599832206555888, 1.0
    ),
)


def _ratio_of(pair, r):
    n = d = 0.0
    for a in pair[0]:
        n = n * r + a
    for b in pair[1]:
        d = d * r + b
    return n, d


def _normal_inv_cdf(p, mu, sigma):
    q = p - 0.5
    if abs(q) <= 0.425:
        n, d = _ratio_of(_CENTRE, 0.180625 - q * q)
        return mu + n * q / d * sigma
    r = _sqrt(-_log(p if q <= 0.0 else 1.0 - p))
    n, d = _ratio_of(_NEAR, r - 1.6) if r <= 5.0 else _ratio_of(_FAR, r - 5.0)
    x = n / d
    return mu + (-x if q < 0.0 else x) * sigma


class NormalDist:
    __slots__ = ('_mu', '_sigma')

    def __init__(self, mu=0.0, sigma=1.0):
        if sigma < 0.0:
            raise StatisticsError('sigma must be non-negative')
        self._mu = float(mu)
        self._sigma = float(sigma)

    @classmethod
    def from_samples(cls, data):
        data = [*data]
        if len(data) < 2:
            raise StatisticsError('stdev requires at least two data points')
        return cls(mean(data), stdev(data))

    def samples(self, n, *, seed=None):
        from random import Random
        draw = Random(seed).gauss
        return [draw(self._mu, self._sigma) for _ in range(n)]

    def _checked(self, name):
        if not self._sigma:
            raise StatisticsError(f'{name}() not defined when sigma is zero')

    def pdf(self, x):
        self._checked('pdf')
        variance = self._sigma * self._sigma
        diff = x - self._mu
        return _exp(diff * diff / (-2.0 * variance)) / _sqrt(_tau * variance)

    def cdf(self, x):
        self._checked('cdf')
        return 0.5 * (1.0 + _erf((x - self._mu) / (self._sigma * _sqrt(2.0))))

    def inv_cdf(self, p):
        if p <= 0.0 or p >= 1.0:
            raise StatisticsError('p must be in the range 0.0 < p < 1.0')
        if self._sigma <= 0.0:
            raise StatisticsError('cdf() not defined when sigma at or below zero')
        return _normal_inv_cdf(p, self._mu, self._sigma)

    def quantiles(self, n=4):
        return [self.inv_cdf(i / n) for i in range(1, n)]

    def overlap(self, other):
        if not isinstance(other, NormalDist):
            raise TypeError('Expected another NormalDist instance')
        x, y = self, other
        if (y._sigma, y._mu) < (x._sigma, x._mu):
            x, y = y, x
        x_var, y_var = x.variance, y.variance
        if not x_var or not y_var:
            raise StatisticsError('overlap() not defined when sigma is zero')
        dv = y_var - x_var
        dm = _fabs(y._mu - x._mu)
        if not dv:
            return 1.0 - _erf(dm / (2.0 * x._sigma * _sqrt(2.0)))
        a = x._mu * y_var - y._mu * x_var
        b = x._sigma * y._sigma * _sqrt(dm * dm + dv * _log(y_var / x_var))
        x1, x2 = (a + b) / dv, (a - b) / dv
        return 1.0 - (_fabs(y.cdf(x1) - x.cdf(x1)) + _fabs(y.cdf(x2) - x.cdf(x2)))

    def zscore(self, x):
        if not self._sigma:
            raise StatisticsError('zscore() not defined when sigma is zero')
        return (x - self._mu) / self._sigma

    @property
    def mean(self):
        return self._mu

    @property
    def median(self):
        return self._mu

    @property
    def mode(self):
        return self._mu

    @property
    def stdev(self):
        return self._sigma

    @property
    def variance(self):
        return self._sigma * self._sigma

    def __add__(self, other):
        if isinstance(other, NormalDist):
            return NormalDist(self._mu + other._mu, _hypot(self._sigma, other._sigma))
        return NormalDist(self._mu + other, self._sigma)

    __radd__ = __add__

    def __sub__(self, other):
        if isinstance(other, NormalDist):
            return NormalDist(self._mu - other._mu, _hypot(self._sigma, other._sigma))
        return NormalDist(self._mu - other, self._sigma)

    def __rsub__(self, other):
        return -(self - other)

    def __mul__(self, other):
        return NormalDist(self._mu * other, self._sigma * _fabs(other))

    __rmul__ = __mul__

    def __truediv__(self, other):
        return NormalDist(self._mu / other, self._sigma / _fabs(other))

    def __pos__(self):
        return NormalDist(self._mu, self._sigma)

    def __neg__(self):
        return NormalDist(-self._mu, self._sigma)

    def __eq__(self, other):
        if not isinstance(other, NormalDist):
            return NotImplemented
        return self._mu == other._mu and self._sigma == other._sigma

    def __hash__(self):
        return hash((self._mu, self._sigma))

    def __repr__(self):
        return f'{type(self).__name__}(mu={self._mu!r}, sigma={self._sigma!r})'
