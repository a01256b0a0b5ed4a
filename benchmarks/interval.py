"""Intervals that several benchmarks need: of a share, of a median, of paired ratios."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

import numpy as np

from speedwell.measure import Rounds, binomial_bounds, hodges_lehmann_interval

__all__ = ["median_interval", "paired_ratio", "share_interval", "timed_ratio"]

EXACT_FROM = 6
"""Rounds under which no exact two-sided interval at 95 % exists."""


def share_interval(count: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson, two-sided. (3 of 100: 0.0062 to 0.0852.)"""
    return binomial_bounds(count, n, (1.0 - level) / 2.0)


def median_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float, float]:
    """(median, low, high) by the sign test: the innermost order statistics that hold at ``level``.

    Under 6 values none do: then the smallest and largest are given, which hold at 1 - 2^(1 - n).
    """
    ranked, n = sorted(values), len(values)
    outside, k = 2.0 / 2.0**n, 0
    while outside + 2.0 * math.comb(n, k + 1) / 2.0**n <= 1.0 - level:
        k += 1
        outside += 2.0 * math.comb(n, k) / 2.0**n
    return median(ranked), ranked[k], ranked[n - 1 - k]


def paired_ratio(base: Sequence[float], other: Sequence[float], level: float = 0.95) -> tuple[float, float, float]:
    """(ratio, low, high) of base / other over rounds that timed both: Hodges-Lehmann on logs, exact signed ranks.

    Under 6 rounds the exact interval does not exist at 95 %: then the smallest and largest ratio.
    """
    logs = [math.log(a / b) for a, b in zip(base, other, strict=True)]
    if len(logs) < EXACT_FROM:
        return math.exp(median(logs)), math.exp(min(logs)), math.exp(max(logs))
    found = hodges_lehmann_interval(logs, level)
    return math.exp(found.estimate), math.exp(found.low), math.exp(found.high)


def timed_ratio(taken: Rounds, base: str, other: str, workloads: int = 1) -> tuple[float, float, float, int] | None:
    """(ratio, low, high, rounds) of base time / other time; None where no round timed both.

    Per round and workload the median of log(base / other) over paired calls, then the mean over workloads.
    """
    logs = [
        [float(np.median(np.log(np.array(a) / np.array(b)))) for a, b in taken.pairs(base, other, w)]
        for w in range(workloads)
    ]
    if not all(logs):
        return None
    rounds = min(map(len, logs))
    means = np.exp(np.mean([part[:rounds] for part in logs], axis=0)).tolist()
    return (*paired_ratio(means, [1.0] * rounds), rounds)
