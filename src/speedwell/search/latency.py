"""How much faster an outcome's own samples say it is: a point estimate for ordering, never a claim."""

from __future__ import annotations

import math
from statistics import median

from speedwell.core import Outcome, Timing

__all__ = ["ratio", "seconds_per_run"]


def ratio(outcome: Outcome) -> float | None:
    """Baseline time / candidate time (> 1: faster), None where nothing was timed.

    Per process pair the median of log(baseline / candidate) over its interleaved calls, the median over pairs, and
    the geometric mean over workloads: paired, so that a slow moment of the machine spoils no comparison.
    """
    logs = [value for t in outcome.timings if (value := _log_ratio(t)) is not None]
    return math.exp(sum(logs) / len(logs)) if logs else None


def seconds_per_run(outcome: Outcome) -> float | None:
    """Median latency in seconds on the first workload, None where nothing was timed."""
    for timing in outcome.timings:
        calls = [s for pair in timing.candidate for s in pair]
        if calls:
            return median(calls)
    return None


def _log_ratio(timing: Timing) -> float | None:
    pairs = [
        median(math.log(b / c) for b, c in zip(base, other, strict=True))
        for base, other in zip(timing.baseline, timing.candidate, strict=True)
        if base
    ]
    return median(pairs) if pairs else None
