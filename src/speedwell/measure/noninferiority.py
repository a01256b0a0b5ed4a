"""The accuracy verdict where each sample is right or wrong: Tango's score test and the exact check, both.

Null hypothesis: the candidate is worse than the original by the margin or more. A claim needs both tests at alpha.
"""

from __future__ import annotations

import numpy as np

from speedwell.core.errors import DataError, EmptySplitError, UsageError
from speedwell.core.evidence import Evidence
from speedwell.core.verdict import AccuracyClaim, AccuracyVerdict

from .binomial import binomial_upper_tail
from .exact import exact_p, smallest_n
from .power import rough_n
from .tango import tango_lower, tango_p, tango_upper

__all__ = ["binary_p", "check_margin", "check_paired", "judge_binary", "judge_counts", "paired_counts"]

TEST = "Tango score test and exact unconditional test"


def judge_binary(original: Evidence, candidate: Evidence, margin: float, alpha: float = 0.05) -> AccuracyClaim:
    """The paired claim on the same samples in the same order. ``margin`` in 0..1 (0.01 = one point).

    Raises ``EmptySplitError``, ``DataError`` (scores that are not 0 or 1, or of different lengths), ``UsageError``.
    """
    n12, n21, n = paired_counts(original, candidate)
    return judge_counts(n12, n21, n, margin, alpha, float(original.scores.mean()))


def judge_counts(
    n12: int, n21: int, n: int, margin: float, alpha: float = 0.05, original_score: float = 1.0
) -> AccuracyClaim:
    """The same from the counts. Verdicts:

    ``BETTER``  kept, the lower bound is above 0, and the exact sign test says so too;
    ``KEPT``    both tests reject "worse by the margin or more" at ``alpha``;
    ``LOST``    the one-sided upper bound is below minus the margin: worse by more than it, ``1 - alpha`` sure;
    ``UNDECIDED`` all else; ``need`` is the n at which a candidate like the one seen would be decided with 80 % power.
    """
    check_margin(margin, alpha)
    lower = tango_lower(n12, n21, n, alpha)
    upper = tango_upper(n12, n21, n, alpha)
    loss = (n21 - n12) / n
    by_tango = tango_p(n12, n21, n, margin) < alpha
    by_exact = exact_p(n12, n21, n, margin) <= alpha
    need, note = 0, ""
    if by_tango and by_exact:
        sign = float(binomial_upper_tail(np.array(n12), np.array(n12 + n21), np.array(0.5)))
        verdict = AccuracyVerdict.BETTER if lower > 0 and sign <= alpha else AccuracyVerdict.KEPT
    elif upper < -margin:
        verdict = AccuracyVerdict.LOST
    else:
        verdict = AccuracyVerdict.UNDECIDED
        need = _need((n12 + n21) / n, loss, margin, alpha, n)
        note = f"undecided, need n >= {need:,}" if need else "undecided: what was seen lies at the margin itself"
        if by_tango and not by_exact:
            note += "; Tango's test alone would pass, the exact one does not"
    return AccuracyClaim(
        verdict=verdict,
        original=original_score,
        candidate=original_score - loss,
        lower=lower,
        margin=margin,
        n=n,
        test=TEST,
        n12=n12,
        n21=n21,
        need=need,
        alpha=alpha,
        note=note,
    )


def binary_p(n12: int, n21: int, n: int, margin: float) -> float:
    """The p-value of the claim, for Holm: the larger of the two tests'."""
    return max(tango_p(n12, n21, n, margin), exact_p(n12, n21, n, margin))


def paired_counts(original: Evidence, candidate: Evidence) -> tuple[int, int, int]:
    """n12 (candidate right, original wrong), n21 (the reverse) and n."""
    check_paired(original, candidate)
    for evidence in (original, candidate):
        if not np.isin(evidence.scores, (0.0, 1.0)).all():
            raise DataError("the scores of a yes/no comparison must be 0 or 1", 'Use evidence of kind "score".')
    difference = candidate.scores - original.scores
    return int((difference > 0).sum()), int((difference < 0).sum()), len(difference)


def check_paired(original: Evidence, candidate: Evidence) -> None:
    """Raise unless both hold finite scores of the same samples."""
    if len(original.scores) != len(candidate.scores):
        raise DataError(
            f"{len(original.scores)} scores of the original and {len(candidate.scores)} of the candidate are no pairs"
        )
    if not len(original.scores):
        raise EmptySplitError("there are no labelled samples to compare on", "Give labels, or ask for --agree.")
    if not (np.isfinite(original.scores).all() and np.isfinite(candidate.scores).all()):
        raise DataError("a score is not finite")


def check_margin(margin: float, alpha: float) -> None:
    """Raise ``UsageError`` unless both lie in 0..1."""
    if not 0.0 < margin < 1.0:
        raise UsageError(
            f"the margin is {margin}, it must lie between 0 and 1", "No finite data can show a drop of 0; use 0.5pt."
        )
    if not 0.0 < alpha < 0.5:
        raise UsageError(f"alpha is {alpha}, it must lie between 0 and 0.5")


def _need(disagreement: float, loss: float, margin: float, alpha: float, n: int) -> int:
    """Samples to decide either way if what was seen is the truth; 0 where it lies too near the margin to say."""
    if loss >= margin:  # to show that it is lost
        gap = loss - margin
        return 0 if gap < 1e-9 else max(n + 1, round(6.18 * max(disagreement - loss * loss, 0.0) / gap**2))
    return max(n + 1, smallest_n(margin, alpha), rough_n(disagreement, loss, margin, 0.8, alpha))
