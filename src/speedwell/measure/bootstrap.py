"""The accuracy verdict where the metric is not a mean of yes/no (mAP, F1, a regression score): paired bootstrap.

Whole independent units (an image, a document) are drawn with replacement, the same ones for both models; the claim
stands where the alpha quantile of the resampled difference is above minus the margin (Efron and Tibshirani, An
Introduction to the Bootstrap, 1993, ch. 13). Under 100 units, or a class under 30 objects, it is not trusted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist

import numpy as np

from speedwell.core.errors import DataError, UsageError
from speedwell.core.evidence import Evidence
from speedwell.core.verdict import AccuracyClaim, AccuracyVerdict

from .noninferiority import check_margin, check_paired

__all__ = [
    "LEAST_OBJECTS", "LEAST_RESAMPLES", "LEAST_UNITS", "bootstrap_claim", "bootstrap_differences", "bootstrap_p",
    "judge_score",
]  # fmt: skip

LEAST_UNITS = 100
LEAST_OBJECTS = 30
LEAST_RESAMPLES = 2000

Metric = Callable[[Evidence, np.ndarray | None], float]


def judge_score(
    original: Evidence,
    candidate: Evidence,
    margin: float,
    alpha: float = 0.05,
    metric: Metric | None = None,
    units: np.ndarray | None = None,
    objects_per_class: Sequence[int] = (),
    resamples: int = LEAST_RESAMPLES,
    seed: int = 0,
) -> AccuracyClaim:
    """The paired claim. ``metric(evidence, index)`` scores any resample of the samples (a task's ``metric``); the
    mean of the scores where None. ``units``: int or str [n], the independent unit of each sample; each sample its own
    where None. ``objects_per_class``: ground-truth objects of each class, where the task has such.
    """
    check_margin(margin, alpha)
    differences, count = bootstrap_differences(original, candidate, metric, units, resamples, seed)
    before, after = _score(original, metric), _score(candidate, metric)
    test = f"paired bootstrap, {resamples:,} resamples"
    return bootstrap_claim(differences, count, (before, after), margin, alpha, objects_per_class, test)


def bootstrap_claim(
    differences: np.ndarray,
    count: int,
    scores: tuple[float, float],
    margin: float,
    alpha: float,
    objects_per_class: Sequence[int],
    test: str,
) -> AccuracyClaim:
    """The claim from resampled ``differences`` over ``count`` units; ``scores``: original and candidate on all."""
    before, after = scores
    if not np.isfinite(differences).all() or not math.isfinite(before) or not math.isfinite(after):
        raise DataError("the metric is not finite on a resample", "Let it return 0 where a class is missing.")
    low, high = _quantiles(differences, alpha)
    thin = [c for c in objects_per_class if c < LEAST_OBJECTS]
    verdict, need, note = AccuracyVerdict.UNDECIDED, 0, ""
    if count < LEAST_UNITS:
        need = LEAST_UNITS
        note = f"undecided, need n >= {LEAST_UNITS}: {count} independent samples are too few for a bootstrap"
    elif thin:
        need = math.ceil(count * LEAST_OBJECTS / min(thin)) if min(thin) else 0
        note = f"undecided: {len(thin)} classes have under {LEAST_OBJECTS} objects"
        note += f", need n >= {need:,}" if need else ""
    elif low > -margin:
        verdict = AccuracyVerdict.BETTER if low > 0 else AccuracyVerdict.KEPT
    elif high < -margin:
        verdict = AccuracyVerdict.LOST
    else:
        need = _need(float(differences.std()), count, before - after, margin, alpha)
        note = f"undecided, need n >= {need:,}" if need else "undecided: what was seen lies at the margin itself"
    return AccuracyClaim(
        verdict=verdict,
        original=before,
        candidate=after,
        lower=low,
        margin=margin,
        n=count,
        test=test,
        need=need,
        alpha=alpha,
        note=note,
    )


def bootstrap_differences(
    original: Evidence,
    candidate: Evidence,
    metric: Metric | None = None,
    units: np.ndarray | None = None,
    resamples: int = LEAST_RESAMPLES,
    seed: int = 0,
) -> tuple[np.ndarray, int]:
    """``candidate - original`` on each resample (float64 [resamples]), and the number of units."""
    if resamples < LEAST_RESAMPLES:
        raise UsageError(f"{resamples} resamples are too few", f"Use at least {LEAST_RESAMPLES}.")
    check_paired(original, candidate)
    n = len(original.scores)
    unit = np.arange(n) if units is None else np.unique(units, return_inverse=True)[1].ravel()
    if len(unit) != n:
        raise DataError(f"{len(unit)} units for {n} samples")
    count = int(unit.max()) + 1
    rng = np.random.default_rng(seed)
    if metric is None:
        totals = np.bincount(unit, candidate.scores - original.scores, minlength=count)
        sizes = np.bincount(unit, minlength=count).astype(np.float64)
        out = np.empty(resamples)
        chunk = max(1, 2_000_000 // count)
        for first in range(0, resamples, chunk):
            drawn = rng.integers(0, count, (min(chunk, resamples - first), count))
            out[first : first + len(drawn)] = totals[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
        return out, count
    order = np.argsort(unit, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(unit, minlength=count))[:-1])
    out = np.empty(resamples)
    for i in range(resamples):
        index = np.concatenate([members[u] for u in rng.integers(0, count, count)])
        out[i] = metric(candidate, index) - metric(original, index)
    return out, count


def bootstrap_p(differences: np.ndarray, margin: float) -> float:
    """The share of resamples at or below minus the margin, never 0: for Holm."""
    return float((1 + (differences <= -margin).sum()) / (1 + len(differences)))


def _score(evidence: Evidence, metric: Metric | None) -> float:
    return float(evidence.scores.mean()) if metric is None else float(metric(evidence, None))


def _quantiles(values: np.ndarray, alpha: float) -> tuple[float, float]:
    """The alpha and 1 - alpha quantiles as order statistics, on the cautious side."""
    k = max(1, math.floor(alpha * (len(values) + 1))) - 1
    ordered = np.sort(values)
    return float(ordered[k]), float(ordered[len(values) - 1 - k])


def _need(spread: float, units: int, loss: float, margin: float, alpha: float) -> int:
    gap = abs(margin - loss)
    if gap < 1e-9:
        return 0
    z = NormalDist().inv_cdf(1 - alpha) + NormalDist().inv_cdf(0.8)
    return max(units + 1, math.ceil(units * (z * spread / gap) ** 2))
