"""The verdict on average precision: paired bootstrap over images, and what it can show before it is asked.

AP is no mean over images, so each resample counts the cached matches of the images drawn, the same ones for both
models. A class with few objects makes AP a matter of luck: under 30 objects in one, or under 100 images, nothing is
claimed.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from speedwell.core.errors import DataError, EmptySplitError, UsageError
from speedwell.core.evidence import Evidence
from speedwell.core.matches import Matches
from speedwell.core.verdict import AccuracyClaim

from .bootstrap import LEAST_OBJECTS, LEAST_RESAMPLES, LEAST_UNITS, bootstrap_claim
from .noninferiority import check_margin
from .preflight import Preflight, look_ahead

__all__ = ["PAIRED_SHARE", "judge_matches", "look_ahead_matches", "matches_differences"]

PAIRED_SHARE = 0.3
"""How much a good candidate's AP minus the original's spreads from resample to resample, as a share of the spread of
the original's own AP: most of that is which images were drawn, and both see the same ones. Three 8-bit forms of a
detector of blood cells (BCCD, 159 images) had 0.10, 0.17 and 0.29."""
PILOT_RESAMPLES = 200
KEPT = 64


@dataclass(frozen=True, eq=False)
class _Resampled:
    score: float
    values: np.ndarray


_known: OrderedDict[str, _Resampled] = OrderedDict()


def judge_matches(
    original: Evidence, candidate: Evidence, margin: float, alpha: float = 0.05, resamples: int = LEAST_RESAMPLES,
    seed: int = 0,
) -> AccuracyClaim:  # fmt: skip
    """The paired claim on average precision. Undecided, with the number of images that are needed, under 100 images or
    where a class that occurs has under 30 objects.
    """
    check_margin(margin, alpha)
    differences, scores = matches_differences(original, candidate, resamples, seed)
    mine = _matches(original)
    counts = mine.objects_per_class()
    metric = "AP" if len(mine.levels) > 1 else f"AP{100 * mine.levels[0]:.0f}"
    test = f"paired bootstrap over images of {metric}, {resamples:,} resamples"
    return bootstrap_claim(differences, len(mine), scores, margin, alpha, counts[counts > 0].tolist(), test)


def matches_differences(
    original: Evidence, candidate: Evidence, resamples: int = LEAST_RESAMPLES, seed: int = 0
) -> tuple[np.ndarray, tuple[float, float]]:
    """``candidate - original`` on each resample (float64 [resamples]), and the AP of both on all images."""
    if resamples < LEAST_RESAMPLES:
        raise UsageError(f"{resamples} resamples are too few", f"Use at least {LEAST_RESAMPLES}.")
    base, other = _matches(original), _matches(candidate)
    if not len(base):
        raise EmptySplitError("there are no images to compare on", "Give images with boxes.")
    if len(base) != len(other) or not np.array_equal(base.object_starts, other.object_starts):
        raise DataError(f"{len(base)} images of the original and {len(other)} of the candidate are no pairs")
    before, after = _resampled(base, resamples, seed), _resampled(other, resamples, seed)
    return after.values - before.values, (before.score, after.score)


def look_ahead_matches(evidence: Evidence, n: int, margin: float = 0.0, alpha: float = 0.05) -> Preflight:
    """What ``n`` confirmation images like those of the original's ``evidence`` can show; ``margin`` 0: "auto".

    Raises ``EmptySplitError`` for under 10 images.
    """
    matches = _matches(evidence)
    few = _few(matches, n)
    pilot = _resampled(matches, PILOT_RESAMPLES, 0)
    variance = (PAIRED_SHARE * float(pilot.values.std())) ** 2 * len(matches)
    found = look_ahead(n, margin, "score", variance, alpha=alpha)
    words = found.sentence.replace("confirmation samples", "confirmation images").replace("samples", "images")
    words = re.sub(r" points([,;])", r" points of average precision\1", words, count=1)
    if few:
        return Preflight("matches", n, variance, 0.0, margin, 0.999, 0.0, few[0], False, few[1])
    return Preflight("matches", n, variance, 0.0, margin, found.tightest, found.power, found.need, found.enough, words)


def _few(matches: Matches, n: int) -> tuple[int, str] | None:
    """(images needed, words) where ``n`` images cannot carry a claim whatever the candidate."""
    if n < LEAST_UNITS:
        return LEAST_UNITS, f"{n:,} confirmation images carry no claim on average precision; {LEAST_UNITS} are needed."
    counts = matches.objects_per_class()
    there = counts[counts > 0]
    expected = there * (n / max(1, len(matches)))
    thin = int((expected < LEAST_OBJECTS).sum())
    if not thin:
        return None
    need = math.ceil(LEAST_OBJECTS * len(matches) / int(there.min()))
    what = "class is" if thin == 1 else "classes are"
    return need, (
        f"{n:,} confirmation images will probably not do: {thin} {what} too rare for {LEAST_OBJECTS} objects in them, "
        f"and under that nothing is claimed on average precision; about {need:,} would do."
    )


def _matches(evidence: Evidence) -> Matches:
    if evidence.matches is None:
        raise DataError(f"evidence of kind {evidence.kind!r} holds no matches", "Evaluate the model again.")
    return evidence.matches


def _resampled(matches: Matches, resamples: int, seed: int) -> _Resampled:
    """AP on all images and on each resample. Kept by content, because a search asks for the same ones at every step,
    and the original's again for each candidate.
    """
    key = f"{_digest(matches)}/{resamples}/{seed}"
    if key not in _known:
        rng, n = np.random.default_rng(seed), len(matches)
        values = np.array([matches.average_precision(rng.integers(0, n, n)) for _ in range(resamples)])
        _known[key] = _Resampled(matches.average_precision(), values)
        while len(_known) > KEPT:
            _known.popitem(last=False)
    _known.move_to_end(key)
    return _known[key]


def _digest(matches: Matches) -> str:
    whole = hashlib.sha256()
    for name, array in matches.arrays().items():
        if name != "boxes":  # where they lie changes no figure
            whole.update(f"{name}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return whole.hexdigest()
