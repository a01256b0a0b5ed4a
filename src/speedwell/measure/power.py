"""The power of the accuracy rule (Tango and exact, both at alpha), and its inverses: margin and n.

Power is summed exactly over all tables for n up to 20,000, and by the normal approximation of Z beyond.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from .exact import claim_boundary, exact_threshold, rejection_probability, smallest_n

__all__ = ["claim_power", "needed_n", "rough_n", "tightest_margin"]

_NORMAL = NormalDist()
_EXACT_UNTIL = 20_000
_MOST = 10_000_000


def claim_power(n: int, disagreement: float, loss: float, margin: float, alpha: float = 0.05) -> float:
    """P(claim) with ``n`` samples when the two models differ in rightness on a share ``disagreement`` of them and the
    candidate's true loss is ``loss``. (n 1,821, 3 %, 0.3 points, margin 1 point: 0.5.)
    """
    _check(disagreement, loss, margin)
    if n < smallest_n(margin, alpha):
        return 0.0
    if n > _EXACT_UNTIL:
        return _normal_power(n, disagreement, loss, margin, _NORMAL.inv_cdf(1.0 - alpha))
    return _power_at(n, disagreement, loss, margin, exact_threshold(n, margin, alpha))


def needed_n(disagreement: float, loss: float, margin: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """Samples for that power, to about 2 %, at most 10 million; 0 where no number does (``loss`` >= ``margin``).

    Power has a saw tooth in n: the number is the first of a 2 % grid at which it holds, and at the next one too.
    """
    _check(disagreement, loss, margin)
    guess = rough_n(disagreement, loss, margin, power, alpha)
    if guess > _EXACT_UNTIL // 2 or guess == 0:
        return guess
    z = _NORMAL.inv_cdf(1.0 - alpha)
    n = max(smallest_n(margin, alpha), math.floor(guess * 0.6))
    while n < _MOST:
        after = n + max(1, n // 50)
        if (
            _quick_power(n, disagreement, loss, margin, z) >= power  # by Tango alone, which is cheap, first
            and _quick_power(after, disagreement, loss, margin, z) >= power
            and claim_power(n, disagreement, loss, margin, alpha) >= power
        ):
            return n
        n = after
    return _MOST


def rough_n(disagreement: float, loss: float, margin: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """``needed_n`` by the normal approximation: at once, and within a tenth or so."""
    if loss >= margin:
        return 0
    z = _NORMAL.inv_cdf(1.0 - alpha) + _NORMAL.inv_cdf(power)
    variance = max(disagreement - loss * loss, 0.0)
    return max(smallest_n(margin, alpha), min(_MOST, math.ceil(variance * (z / (margin - loss)) ** 2)))


def tightest_margin(n: int, disagreement: float, loss: float = 0.0, power: float = 0.8, alpha: float = 0.05) -> float:
    """The smallest margin (0..1) that ``n`` samples certify with that power, to 1 %. ``ValueError`` for n < 4."""
    if n < 4:
        raise ValueError(f"{n} samples certify nothing")
    low = max(loss, 1.0 - alpha ** (1.0 / n))
    high = 0.999
    z = _NORMAL.inv_cdf(1.0 - alpha)
    for _ in range(20):  # by Tango alone, which is cheap
        middle = 0.5 * (low + high)
        enough = _quick_power(n, disagreement, loss, middle, z) >= power
        low, high = (low, middle) if enough else (middle, high)
    margin = high
    while margin < 0.99 and claim_power(n, max(disagreement, abs(loss)), loss, margin, alpha) < power:
        margin *= 1.01
    return min(margin, 0.999)


def _check(disagreement: float, loss: float, margin: float) -> None:
    if not 0.0 <= disagreement <= 1.0 or abs(loss) > disagreement + 1e-12 or not 0.0 < margin < 1.0:
        raise ValueError(f"no such case: disagreement {disagreement}, loss {loss}, margin {margin}")


def _quick_power(n: int, disagreement: float, loss: float, margin: float, z: float) -> float:
    if n > _EXACT_UNTIL:
        return _normal_power(n, disagreement, loss, margin, z)
    return _power_at(n, disagreement, loss, margin, z)


def _power_at(n: int, disagreement: float, loss: float, margin: float, z: float) -> float:
    if math.isinf(z):
        return 0.0
    boundary = claim_boundary(n, margin, z)
    if disagreement == 0.0:
        return float(boundary[0] <= 0)
    return float(rejection_probability(n, boundary, np.array([disagreement]), loss)[0])


def _normal_power(n: int, disagreement: float, loss: float, margin: float, z: float) -> float:
    """Z is normal with unit variance under the restricted estimate; its mean is the shift over the true spread."""
    variance = disagreement - loss * loss
    if variance <= 0:
        return float(n * margin / (1.0 - margin) > z * z)
    restricted = max(disagreement, margin) - margin * margin
    return _NORMAL.cdf((math.sqrt(n) * (margin - loss) - z * math.sqrt(restricted)) / math.sqrt(variance))
