"""One door to the accuracy verdict: the test follows from the evidence and the promise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from speedwell.core.errors import UsageError
from speedwell.core.evidence import Evidence
from speedwell.core.verdict import AccuracyClaim, Promise

from .agreement import agreement_p, differing, judge_agreement
from .bootstrap import bootstrap_differences, bootstrap_p, judge_score
from .detection import judge_matches, matches_differences
from .noninferiority import binary_p, judge_binary, paired_counts

__all__ = ["claim_p", "judge"]

Metric = Callable[[Evidence, np.ndarray | None], float]


def judge(
    original: Evidence,
    candidate: Evidence,
    promise: Promise,
    metric: Metric | None = None,
    units: np.ndarray | None = None,
    seed: int = 0,
) -> AccuracyClaim:
    """The claim for ``promise``. "agreement": answers only. "accuracy": by the evidence's kind, "binary" (Tango and
    exact), "score" (bootstrap of ``metric``) or "matches" (bootstrap of average precision over images); without
    labels, the bound on disagreement.
    """
    match _test(original, promise):
        case "agreement":
            return judge_agreement(original, candidate, promise.margin, promise.alpha)
        case "unlabelled":
            return judge_agreement(original, candidate, promise.margin, promise.alpha, promise="accuracy")
        case "binary":
            return judge_binary(original, candidate, promise.margin, promise.alpha)
        case "matches":
            return judge_matches(original, candidate, promise.margin, promise.alpha, seed=seed)
        case _:
            return judge_score(original, candidate, promise.margin, promise.alpha, metric, units, seed=seed)


def claim_p(
    original: Evidence,
    candidate: Evidence,
    promise: Promise,
    metric: Metric | None = None,
    units: np.ndarray | None = None,
    seed: int = 0,
) -> float:
    """The p-value under the same test, for ``holm_holds``."""
    match _test(original, promise):
        case "agreement" | "unlabelled":
            return agreement_p(len(differing(original, candidate)), len(original.answers), promise.margin)
        case "binary":
            return binary_p(*paired_counts(original, candidate), promise.margin)
        case "matches":
            return bootstrap_p(matches_differences(original, candidate, seed=seed)[0], promise.margin)
        case _:
            return bootstrap_p(bootstrap_differences(original, candidate, metric, units, seed=seed)[0], promise.margin)


def _test(original: Evidence, promise: Promise) -> str:
    if promise.kind == "agreement":
        return "agreement"
    if promise.kind != "accuracy":
        raise UsageError(f"a promise of kind {promise.kind!r} is not judged on samples")
    return original.kind if len(original.scores) else "unlabelled"
