"""Certificates with few labels or none: how often two models' answers differ bounds what accuracy can fall by.

For top-1, P(original right) - P(candidate right) <= P(answers differ). So a Clopper-Pearson upper bound on the share
that differ certifies a promise without a label (0 of 300 differ: at most 0.99 points; 12 of 2,000: 0.97; one-sided
95 %). Where that bound is too weak, labels are needed only for the inputs on which the answers differ.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from statistics import NormalDist
from typing import Literal

import numpy as np

from speedwell.core.errors import DataError, EmptySplitError
from speedwell.core.evidence import Evidence
from speedwell.core.verdict import AccuracyClaim, AccuracyVerdict

from .binomial import binomial_bounds, binomial_upper_tail
from .exact import smallest_n
from .noninferiority import check_margin, judge_counts

__all__ = ["agreement_p", "differing", "judge_agreement", "judge_with_labels"]

_TEST = "Clopper-Pearson bound on disagreement"


def differing(original: Evidence, candidate: Evidence) -> np.ndarray:
    """Indices (int64, ascending) of the samples on which the two answers differ: the only ones that need a label."""
    if len(original.answers) != len(candidate.answers):
        raise DataError(f"{len(original.answers)} and {len(candidate.answers)} answers are no pairs")
    if not len(original.answers):
        raise EmptySplitError("there are no answers to compare", "This task's answers cannot be compared; give labels.")
    return np.flatnonzero(original.answers != candidate.answers)


def judge_agreement(
    original: Evidence,
    candidate: Evidence,
    margin: float,
    alpha: float = 0.05,
    promise: Literal["agreement", "accuracy"] = "agreement",
) -> AccuracyClaim:
    """The claim from answers alone. ``margin``: share allowed to differ, or points of accuracy allowed to be lost.

    ``KEPT`` where the upper bound on disagreement is at most the margin. ``LOST``, for the promise "agreement" only,
    where the lower bound is above it: two answers that differ may both be wrong, so accuracy is never lost this way.
    ``original`` is 1 and ``candidate`` the share that agrees: the original's answer is the label.
    """
    check_margin(margin, alpha)
    k, n = len(differing(original, candidate)), len(original.answers)
    low, high = binomial_bounds(k, n, alpha)
    need, note = 0, "agreement with the original, not accuracy" if promise == "agreement" else "without labels"
    if high <= margin:
        verdict = AccuracyVerdict.KEPT
    elif promise == "agreement" and low > margin:
        verdict = AccuracyVerdict.LOST
    else:
        verdict = AccuracyVerdict.UNDECIDED
        need = _need(k / n, margin, alpha)
        if need:
            note += f"; undecided, need n >= {need:,}"
        if promise == "accuracy":
            note += f"; labels of the {k} inputs on which the answers differ can decide it"
    return AccuracyClaim(verdict, 1.0, 1.0 - k / n, -high, margin, n, _TEST, 0, k, need, alpha, note)


def judge_with_labels(
    original: Evidence, candidate: Evidence, labels: Mapping[int, int], margin: float, alpha: float = 0.05
) -> AccuracyClaim:
    """Tango and exact test when only the differing samples were labelled. ``labels``: index to true class.

    A differing sample without a label counts against the candidate, so the claim stands with labels missing.
    ``original`` and ``candidate`` in the claim are relative (1 and 1 - loss): accuracy itself needs all labels.
    """
    check_margin(margin, alpha)
    index = differing(original, candidate)
    n12 = sum(1 for i in index if int(i) in labels and labels[int(i)] == int(candidate.answers[i]))
    missing = sum(1 for i in index if int(i) not in labels)
    harmful = sum(1 for i in index if int(i) in labels and labels[int(i)] == int(original.answers[i]))
    claim = judge_counts(n12, harmful + missing, len(original.answers), margin, alpha)
    words = f"{len(index) - missing} labels of the {len(index)} inputs on which the answers differ"
    if missing and claim.verdict is AccuracyVerdict.LOST:  # the missing labels may yet speak for it
        claim = replace(claim, verdict=AccuracyVerdict.UNDECIDED)
    return replace(claim, note=f"{words}; {claim.note}" if claim.note else words)


def agreement_p(k: int, n: int, margin: float) -> float:
    """p-value of "at least ``margin`` differ" after ``k`` of ``n`` differ: P(Bin(n, margin) <= k)."""
    return 1.0 - float(binomial_upper_tail(np.array(k + 1), np.array(n), np.array(margin)))


def _need(rate: float, margin: float, alpha: float) -> int:
    """n at which 80 % of samples with this rate would decide, by the normal approximation; 0 at the margin."""
    gap = abs(margin - rate)
    if gap < 1e-9:
        return 0
    normal = NormalDist()
    spread = normal.inv_cdf(1 - alpha) * math.sqrt(margin * (1 - margin)) + normal.inv_cdf(0.8) * math.sqrt(
        rate * (1 - rate)
    )
    return max(smallest_n(margin, alpha), math.ceil((spread / gap) ** 2))
