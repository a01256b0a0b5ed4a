"""The statistics of measure, put to the questions of one run: is it accurate enough, is it faster?"""

from __future__ import annotations

import numpy as np

from ..core.errors import EmptySplitError
from ..core.evidence import Evidence
from ..core.outcome import Outcome
from ..core.verdict import AccuracyClaim, Promise
from ..measure import judge, speed_claim
from ..search import Compare, Comparison

__all__ = ["comparison_for", "judged"]


def comparison_for(promise: Promise) -> Compare:
    """``search.Compare`` for one promise: on the samples that both answered, and per workload."""

    def compare(outcome: Outcome, original: Outcome) -> Comparison:
        accuracy = None
        if outcome.evidence is not None and original.evidence is not None and promise.kind != "equal":
            n = min(len(outcome.evidence), len(original.evidence))
            accuracy = judged(original.evidence, outcome.evidence, n, promise)
        speed = tuple(
            speed_claim(list(zip(t.baseline, t.candidate, strict=True)), "original", t.workload)
            for t in outcome.timings
        )
        return Comparison(accuracy, speed)

    return compare


def judged(original: Evidence, candidate: Evidence, n: int, promise: Promise) -> AccuracyClaim | None:
    """The claim on the first ``n`` samples; None where there are too few to say anything."""

    def part(evidence: Evidence) -> Evidence:
        return evidence if n >= len(evidence) else evidence.take(np.arange(n))

    try:
        return judge(part(original), part(candidate), promise)
    except EmptySplitError:
        return None
