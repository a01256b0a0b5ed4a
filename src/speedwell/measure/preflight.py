"""Before the search: what can this data show?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

from speedwell.core.errors import EmptySplitError

from .binomial import binomial_upper_tail
from .bootstrap import LEAST_UNITS
from .exact import smallest_n
from .power import claim_power, needed_n, rough_n, tightest_margin

__all__ = ["Preflight", "look_ahead"]

_POWER = 0.8


@dataclass(frozen=True)
class Preflight:
    """``n`` confirmation samples, against a candidate that differs from the original on a share ``disagreement`` of
    them and loses ``loss`` (points in 0..1). ``tightest``: the smallest margin shown with 80 % power, rounded up to
    a tenth of a point. ``power``: at the asked margin (0 where none was asked). ``need``: samples for 80 % power at
    the asked margin, 0 where these are enough. ``sentence``: all that for a person.
    """

    kind: Literal["binary", "score", "agreement", "matches"]
    n: int
    disagreement: float
    loss: float
    margin: float
    tightest: float
    power: float
    need: int
    enough: bool
    sentence: str


def look_ahead(
    n: int,
    margin: float = 0.0,
    kind: Literal["binary", "score", "agreement"] = "binary",
    disagreement: float | None = None,
    loss: float = 0.0,
    alpha: float = 0.05,
) -> Preflight:
    """What ``n`` confirmation samples can show; ``margin`` 0 stands for "auto".

    ``disagreement``: the share on which a good candidate differs from the original; 3 % where not known (1 % for
    "agreement"). For "score" it stands for the variance of the paired difference of one sample, of which it is a
    guess. Raises ``EmptySplitError`` for under 10 samples.
    """
    if n < 10:
        raise EmptySplitError(f"{n} confirmation samples can show nothing", "Give at least 300 samples.")
    rate = disagreement if disagreement is not None else (0.01 if kind == "agreement" else 0.03)
    if kind == "agreement":
        tightest = _tightest_agreement(n, rate, alpha)
        power = _agreement_power(n, rate, margin, alpha) if margin else 0.0
        need = _agreement_need(rate, margin, alpha) if margin else 0
    elif kind == "score":
        z = NormalDist().inv_cdf(1 - alpha) + NormalDist().inv_cdf(_POWER)
        tightest = loss + z * math.sqrt(rate / n) if n >= LEAST_UNITS else 0.999
        power = _score_power(n, rate, loss, margin, alpha) if margin else 0.0
        need = max(LEAST_UNITS, rough_n(rate, loss, margin, _POWER, alpha)) if margin else 0
    else:
        tightest = tightest_margin(n, rate, loss, _POWER, alpha)
        power = claim_power(n, rate, loss, margin, alpha) if margin else 0.0
        need = needed_n(rate, loss, margin, _POWER, alpha) if margin and power < _POWER else 0
    tightest = min(0.999, math.ceil(tightest * 1000 - 1e-6) / 1000)
    enough = not margin or power >= _POWER
    need = 0 if enough or not need else max(need, n + 1)
    sentence = _sentence(kind, n, margin, tightest, power, need, enough)
    return Preflight(kind, n, rate, loss, margin, tightest, power, need, enough, sentence)


def _sentence(kind: str, n: int, margin: float, tightest: float, power: float, need: int, enough: bool) -> str:
    unit = "points of disagreement" if kind == "agreement" else "points"
    shows = f"{n:,} confirmation samples can show down to {tightest * 100:.1f} {unit}"
    if not margin:
        return f"{shows}; that is taken as the promise."
    asked = f"the promised {margin * 100:g}"
    if enough:
        return f"{shows}, so {asked} is within reach ({power:.0%} of good candidates pass)."
    more = f"; {need:,} samples would bring it to 80 %" if need else ""
    return f"{shows}; at {asked} only {power:.0%} of good candidates pass{more}."


def _most_allowed(n: int, margin: float, alpha: float) -> int:
    """The largest number of disagreements whose upper bound is within ``margin``; -1 where even 0 is too many."""
    k = np.arange(math.floor(n * margin) + 1)
    return int((1.0 - binomial_upper_tail(k + 1, np.array(n), np.array(margin)) <= alpha).sum()) - 1


def _agreement_power(n: int, rate: float, margin: float, alpha: float) -> float:
    k = _most_allowed(n, margin, alpha)
    if k < 0:
        return 0.0
    return 1.0 - float(binomial_upper_tail(np.array(k + 1), np.array(n), np.array(rate)))


def _tightest_agreement(n: int, rate: float, alpha: float) -> float:
    low, high = rate, 0.999
    for _ in range(20):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if _agreement_power(n, rate, middle, alpha) >= _POWER else (middle, high)
    return high


def _agreement_need(rate: float, margin: float, alpha: float) -> int:
    """The first n of a 2 % grid with 80 % power; 0 where the rate is so near the margin that 200,000 do not do."""
    n = smallest_n(margin, alpha)
    while rate < margin and n <= 200_000:
        if _agreement_power(n, rate, margin, alpha) >= _POWER:
            return n
        n += max(1, n // 50)
    return 0


def _score_power(n: int, variance: float, loss: float, margin: float, alpha: float) -> float:
    if n < LEAST_UNITS:
        return 0.0
    shift = (margin - loss) / math.sqrt(variance / n)
    return NormalDist().cdf(shift - NormalDist().inv_cdf(1 - alpha))
