"""Hodges-Lehmann estimate and the signed-rank interval around it.

Hodges and Lehmann, Annals of Mathematical Statistics 34 (1963) 598-611. The interval holds the shifts that Wilcoxon's
signed-rank test does not reject; its ends are order statistics of the pairwise (Walsh) averages. The test's
distribution is exact (counted by dynamic programming) up to 50 values, normal beyond. Ties only make it wider.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Literal

import numpy as np

from speedwell.core.verdict import Interval

__all__ = ["hodges_lehmann_interval", "signed_rank_cdf", "signed_rank_p"]

_EXACT_UNTIL = 50


def hodges_lehmann_interval(values: Sequence[float], level: float = 0.95, one_sided: bool = False) -> Interval:
    """Centre of a symmetric distribution, with its interval. ``one_sided``: ``low`` and ``high`` are each a bound at
    ``level`` alone. An end is infinite where so few values (5 or under, two-sided at 95 %) cannot give it.
    """
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or len(x) == 0 or not np.isfinite(x).all():
        raise ValueError("need a flat list of finite values, at least one")
    i, j = np.triu_indices(len(x))
    walsh = np.sort(0.5 * (x[i] + x[j]))
    estimate = float(np.median(walsh))
    tail = (1.0 - level) if one_sided else (1.0 - level) / 2.0
    k = _critical(len(x), tail)
    if k < 0:
        return Interval(estimate, -math.inf, math.inf, level, one_sided)
    return Interval(estimate, float(walsh[k]), float(walsh[len(walsh) - 1 - k]), level, one_sided)


def signed_rank_p(
    values: Sequence[float], shift: float = 0.0, alternative: Literal["greater", "less", "two-sided"] = "greater"
) -> float:
    """p-value of "the centre is ``shift``" against ``alternative``. Values equal to ``shift`` are left out (Wilcoxon);
    equal distances share their mean rank, and the distribution is counted for those very ranks.
    """
    x = np.asarray(values, dtype=np.float64) - shift
    x = x[x != 0.0]
    if len(x) == 0:
        return 1.0
    size = np.abs(x)
    order, inverse, counts = np.unique(size, return_inverse=True, return_counts=True)
    del order
    doubled = (2 * np.cumsum(counts) - counts + 1)[inverse]  # twice the mean rank: whole numbers
    w = int(doubled[x > 0].sum())
    total = int(doubled.sum())
    if len(x) <= _EXACT_UNTIL:
        pmf = _subset_sums(tuple(int(d) for d in np.sort(doubled)))
        at_most, at_least = float(pmf[: w + 1].sum()), float(pmf[w:].sum())
    else:
        normal = NormalDist(total / 2.0, math.sqrt(float((doubled.astype(np.float64) ** 2).sum())) / 2.0)
        at_most, at_least = normal.cdf(w + 1.0), 1.0 - normal.cdf(w - 1.0)
    if alternative == "two-sided":
        return min(1.0, 2.0 * min(at_most, at_least))
    return min(1.0, at_least if alternative == "greater" else at_most)


def signed_rank_cdf(n: int) -> np.ndarray:
    """P(T <= t) for t = 0..n(n+1)/2, the signed-rank statistic of ``n`` values without ties (float64, exact)."""
    return np.cumsum(_subset_sums(tuple(range(1, n + 1))))


@functools.lru_cache(maxsize=256)
def _subset_sums(ranks: tuple[int, ...]) -> np.ndarray:
    """Probability of each sum of ranks when each rank is in or out with chance one half."""
    pmf = np.zeros(sum(ranks) + 1)
    pmf[0] = 1.0
    for rank in ranks:
        shifted = np.zeros_like(pmf)
        shifted[rank:] = pmf[: len(pmf) - rank]
        pmf = 0.5 * (pmf + shifted)
    pmf.setflags(write=False)
    return pmf


def _critical(n: int, tail: float) -> int:
    """The largest k with P(T <= k) <= ``tail``; -1 where even T = 0 is likelier."""
    if n <= _EXACT_UNTIL:
        return int((signed_rank_cdf(n) <= tail * (1 + 1e-12)).sum()) - 1
    mean, spread = n * (n + 1) / 4.0, math.sqrt(n * (n + 1) * (2 * n + 1) / 24.0)
    return math.floor(mean + NormalDist().inv_cdf(tail) * spread - 0.5)
