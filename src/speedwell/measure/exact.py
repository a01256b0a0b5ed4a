"""The exact unconditional check beside Tango's test, which is too liberal at small n.

Tables are ordered by Tango's Z at the margin D. The p-value of an observed table is the largest probability, over all
truths on the edge of the null (p21 - p12 = D), of a table with at least its Z. One parameter is left free there, the
disagreement rate psi = p12 + p21 in [D, 1]. Truths inside the null need not be searched: Z falls with n21, so moving
probability from "original only" to "both" raises the chance of a large Z until the edge is reached (Barnard convexity;
Berger and Sidik, Statistical Methods in Medical Research 12 (2003) 91-108).

With T = n12 + n21, T ~ Bin(n, psi) and n12 | T ~ Bin(T, (psi - D) / 2 psi), so one pass over T with a binomial tail
each gives the probability. psi is searched on a grid in sqrt(n psi), where the probability's bumps have one width
(the standard deviation of sqrt T is one half), and refined about the three best points; what is left is
below 1e-4 of the p-value.

With no disagreement at all the worst truth is psi = D, all of it harmful, and p = (1 - D)^n: a claim needs
n >= ln(alpha) / ln(1 - D), that is 149 samples at 2 points, 299 at 1, 598 at 0.5, 1,497 at 0.2.
"""

from __future__ import annotations

import functools
import math
from statistics import NormalDist

import numpy as np

from .binomial import binomial_log_pmf, binomial_upper_tail
from .tango import tango_z

__all__ = ["claim_boundary", "exact_p", "exact_threshold", "rejection_probability", "smallest_n"]

_STEP = 0.25
_DENSE_UNTIL = 12.0  # sqrt(n psi): beyond 144 expected disagreements the bumps are below 1e-3 of the level
_TIE = 1e-9
_NEGLIGIBLE = 1e-15


def smallest_n(margin: float, alpha: float = 0.05) -> int:
    """Samples without which no claim is possible, even if the two models never differ."""
    return math.ceil(math.log(alpha) / math.log1p(-margin) - 1e-9)


@functools.lru_cache(maxsize=4096)
def exact_p(n12: int, n21: int, n: int, margin: float) -> float:
    """The exact one-sided p-value of "candidate - original <= -margin" (0 < margin < 1)."""
    z = float(tango_z(np.array(n12), np.array(n21), np.array(n), np.array(-margin)))
    return _size(n, margin, z)


@functools.lru_cache(maxsize=512)
def exact_threshold(n: int, margin: float, alpha: float = 0.05) -> float:
    """The Z that a table must reach for both tests to claim: at least z(1 - alpha), and so high that the exact size
    is at most alpha. Found from above to 1e-3, so it may refuse a table on the edge, never admit one.
    inf where no table can claim.
    """
    low = NormalDist().inv_cdf(1.0 - alpha)
    if _size(n, margin, low) <= alpha:
        return low
    high = float(tango_z(np.array(n), np.array(0), np.array(n), np.array(-margin)))
    if n < smallest_n(margin, alpha) or _size(n, margin, high) > alpha:
        return math.inf
    start = low
    for step in (0.004, 0.02, 0.1, 0.4, 1.0):  # the answer lies just above the asymptotic level
        if start + step >= high:
            break
        if _size(n, margin, start + step) <= alpha:
            high = start + step
            break
        low = start + step
    while high - low > 1e-3:
        middle = 0.5 * (low + high)
        low, high = (low, middle) if _size(n, margin, middle) <= alpha else (middle, high)
    return high


def claim_boundary(n: int, margin: float, z: float) -> np.ndarray:
    """For each total of disagreements t = 0..n the smallest n12 with Z >= ``z``, or t + 1 where there is none."""
    total = np.arange(n + 1, dtype=np.float64)
    low, high = np.zeros(n + 1), total + 1.0
    while np.any(high > low):
        middle = np.floor(0.5 * (low + high))
        inside = np.minimum(middle, total)
        enough = (tango_z(inside, total - inside, np.array(n), np.array(-margin)) >= z - _TIE) & (middle <= total)
        open_ = high > low
        high = np.where(open_ & (enough | (middle > total)), middle, high)
        low = np.where(open_ & ~enough & (middle <= total), middle + 1.0, low)
    return high


def rejection_probability(n: int, boundary: np.ndarray, psi: np.ndarray, loss: float) -> np.ndarray:
    """P(n12 >= boundary[T]) for each disagreement rate in ``psi`` (|loss| <= psi <= 1), when the candidate's true
    loss is ``loss`` (= p21 - p12, may be negative).
    """
    psi = np.minimum(np.asarray(psi, dtype=np.float64), 1.0 - 1e-12)
    spread = 9.0 * np.sqrt(n * psi * (1.0 - psi)) + 30.0
    first = np.maximum(0.0, np.floor(n * psi - spread))
    last = np.minimum(float(n), np.ceil(n * psi + spread))
    lengths = (last - first + 1).astype(np.int64)
    row = np.repeat(np.arange(len(psi)), lengths)
    t = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths) + first[row]
    weight = np.exp(binomial_log_pmf(t, np.array(float(n)), psi[row]))
    needed = boundary[t.astype(np.int64)]
    keep = (weight > _NEGLIGIBLE) & (needed <= t)
    row, t, weight, needed = row[keep], t[keep], weight[keep], needed[keep]
    helpful = np.clip((psi - loss) / (2.0 * psi), 0.0, 1.0)
    tail = binomial_upper_tail(needed, t, helpful[row])
    return np.bincount(row, weight * tail, minlength=len(psi))


def _size(n: int, margin: float, z: float) -> float:
    """The largest rejection probability on the edge of the null, when tables with at least ``z`` reject."""
    boundary = claim_boundary(n, margin, z)
    roots = _grid(n, margin)
    start, end = roots[0], roots[-1]
    values = rejection_probability(n, boundary, roots**2 / n, margin)
    best = float(values.max())
    width = np.diff(roots, append=roots[-1] + _STEP)
    for _ in range(3):
        top = np.argsort(values)[-3:]
        offsets = np.linspace(-1.0, 1.0, 9)
        roots = np.clip((roots[top, None] + offsets * width[top, None]).ravel(), start, end)
        width = np.repeat(width[top] / 4.0, 9)
        values = rejection_probability(n, boundary, np.clip(roots**2 / n, margin, 1.0), margin)
        best = max(best, float(values.max()))
    return min(1.0, best)


def _grid(n: int, margin: float) -> np.ndarray:
    """sqrt(n psi) for psi from D to 1."""
    start, end = math.sqrt(n * margin), math.sqrt(n)
    dense_end = min(end, max(start, _DENSE_UNTIL))
    dense = np.linspace(start, dense_end, max(2, math.ceil((dense_end - start) / _STEP) + 1))
    sparse = np.linspace(dense_end, end, max(2, math.ceil((end - dense_end) / (4 * _STEP)) + 1))
    return np.unique(np.concatenate([dense, sparse]))
