"""The last heat before the finalists are named: plausible candidates timed in a few shared rounds of fresh processes.

While searching each candidate is timed once, against the original in one pair of processes, and one pair lies: a slow
moment of either process moves the ratio by tens of percent. What is named a finalist must not hang on that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..core.outcome import Outcome
from ..measure import run_rounds
from ..search import finalists, ratio, seconds_per_run
from .prepared import bundleable
from .searching import Search
from .trial import turns

__all__ = ["HEAT_ROUNDS", "HEAT_SIZE", "contenders", "run_heat"]

HEAT_ROUNDS, HEAT_SIZE = 3, 6
HEAT_CALLS = 12


def contenders(search: Search) -> tuple[Outcome, ...]:
    """At most ``HEAT_SIZE`` measured candidates whose promise may hold and that may be the fastest, best first.

    By the better of two estimates, because either may have met a slow moment: the ratio of its own pair, and its own
    latency against the original's. The two best that change no answer are always among them.
    """
    judgements, original = search.judgements(), search.original

    def speed(outcome: Outcome) -> float:
        return max(judgements[outcome.candidate.key].ratio or 0.0, _against(original, outcome))

    able = [o for o in search.outcomes if not bundleable(search.prepared, o.candidate)]
    speeds = {o.candidate.key: speed(o) for o in able}
    return finalists(able, judgements, HEAT_SIZE, speeds, lossless=2)


def run_heat(search: Search, entered: Sequence[Outcome]) -> Mapping[str, float]:
    """Original's time / candidate's time by candidate key: the median over rounds, the geometric mean over workloads
    (as the search orders candidates). Who failed is left out.
    """
    original = search.original
    sides = {o.candidate.key: o for o in (original, *entered)}
    openers = {key: search.bench.opener(outcome.candidate) for key, outcome in sides.items()}
    slowest = max(seconds_per_run(o) or 0.0 for o in sides.values())
    block, settle = turns(slowest)
    calls = int(np.clip(1.0 / max(slowest, 1e-6), 5, HEAT_CALLS))
    rng = np.random.default_rng(search.prepared.settings.seed + 2)
    workloads = search.prepared.workloads
    taken = run_rounds(openers, HEAT_ROUNDS, [calls] * len(workloads), rng, block=block, settle=settle)
    speeds = {}
    for outcome in entered:
        key = outcome.candidate.key
        timings = tuple(taken.timing(w, original.candidate.key, key, i) for i, w in enumerate(workloads))
        measured = ratio(replace(outcome, timings=timings)) if all(t.candidate for t in timings) else None
        if measured is not None:
            speeds[key] = measured
    return speeds


def _against(original: Outcome, outcome: Outcome) -> float:
    """Original's time / its time by their own median calls, the geometric mean over workloads; 0 where not timed."""
    logs = [
        math.log(float(np.median(base.candidate[0])) / float(np.median(own.candidate[0])))
        for base, own in zip(original.timings, outcome.timings, strict=False)
    ]
    return math.exp(sum(logs) / len(logs)) if logs else 0.0
