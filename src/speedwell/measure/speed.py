"""From timed pairs to a speed claim, and the A/A control that says how far to trust the machine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from speedwell.core.verdict import CLAIM_PAIRS, Interval, SpeedClaim, SpeedVerdict
from speedwell.core.workload import Workload

from .hodges_lehmann import hodges_lehmann_interval
from .rounds import Pair

__all__ = ["CLAIM_PAIRS", "Control", "a_a_control", "at_least", "pair_effects", "speed_claim"]

NOISY_SPREAD = 0.02
_LEAST_FOR_RANKS = 6
# Between fresh processes of one and the same session the median call moves by about this much (log scale) on a quiet
# machine. Used only for search estimates from under 6 pairs, where the pairs themselves cannot show it.
PROCESS_SPREAD = 0.02
_RESAMPLES = 1000


@dataclass(frozen=True)
class Control:
    """The same model against itself in the same rounds. ``spread``: how far its 95 % interval reaches from 1.

    ``noisy``: it does not hold 1, or reaches further than 2 %; then no claim under ``floor`` = 1 + 3 spread is made.
    """

    claim: SpeedClaim
    spread: float
    noisy: bool
    floor: float


def pair_effects(pairs: Sequence[Pair]) -> np.ndarray:
    """Per pair the median over its calls of log(base / candidate), float64 [pairs]. No call is left out."""
    out = []
    for base, other in pairs:
        if len(base) != len(other) or not base:
            raise ValueError(f"a pair has {len(base)} and {len(other)} calls")
        a, b = np.asarray(base, dtype=np.float64), np.asarray(other, dtype=np.float64)
        if not ((a > 0).all() and (b > 0).all() and np.isfinite(a).all() and np.isfinite(b).all()):
            raise ValueError("seconds must be above 0 and finite")
        out.append(float(np.median(np.log(a / b))))
    return np.array(out)


def speed_claim(
    pairs: Sequence[Pair], baseline: str, workload: Workload, control: Control | None = None, level: float = 0.95
) -> SpeedClaim:
    """``ratio`` = baseline time / candidate time with its two-sided interval; faster iff all of it lies above 1,
    slower iff below.

    From 6 pairs on: Hodges-Lehmann over ``pair_effects`` and the exact signed-rank interval. Under 6 (the search): a
    bootstrap of the calls within the pairs, widened by ``PROCESS_SPREAD``; under ``CLAIM_PAIRS`` the note says that it
    is an estimate and no claim. On a noisy machine a ratio nearer to 1 than the control's floor is undecided.
    """
    if not pairs:
        raise ValueError("there are no pairs to compare")
    effects = pair_effects(pairs)
    if len(effects) >= _LEAST_FOR_RANKS and (1 - level) / 2 >= 0.5 ** len(effects):
        logs = hodges_lehmann_interval(effects.tolist(), level)
    else:
        logs = _search_interval(pairs, effects, level)
    ratio = Interval(math.exp(logs.estimate), math.exp(logs.low), math.exp(logs.high), level)
    verdict = SpeedVerdict.UNDECIDED
    if ratio.low > 1.0:
        verdict = SpeedVerdict.FASTER
    elif ratio.high < 1.0:
        verdict = SpeedVerdict.SLOWER
    notes = []
    if control is not None and control.noisy:
        too_near = 1.0 / control.floor < ratio.estimate < control.floor
        notes.append(
            f"machine too noisy (one session against itself: {_percent(control.spread)})"
            + (f", no claim under {control.floor:.2f}x" if too_near else "")
        )
        verdict = SpeedVerdict.UNDECIDED if too_near else verdict
    if len(pairs) < CLAIM_PAIRS:
        notes.append(f"an estimate from {len(pairs)} pair{'s' if len(pairs) > 1 else ''}, no claim")
    return SpeedClaim(
        verdict=verdict,
        ratio=ratio,
        baseline=baseline,
        workload=workload,
        pairs=len(pairs),
        baseline_seconds=float(np.median([np.median(a) for a, _ in pairs])),
        candidate_seconds=float(np.median([np.median(b) for _, b in pairs])),
        note="; ".join(notes),
        samples=tuple((tuple(a), tuple(b)) for a, b in pairs),
    )


def a_a_control(pairs: Sequence[Pair], baseline: str, workload: Workload) -> Control:
    """The control's verdict on the machine, from pairs of the baseline and the baseline again."""
    claim = speed_claim(pairs, baseline, workload)
    low, high = claim.ratio.low, claim.ratio.high
    spread = max(high, 1.0 / low) - 1.0
    return Control(claim, spread, not low <= 1.0 <= high or spread > NOISY_SPREAD, 1.0 + 3.0 * spread)


def at_least(claim: SpeedClaim, times: float, level: float = 0.95) -> bool:
    """True iff "at least ``times`` times as fast" holds: the one-sided lower bound reaches it, over at least
    ``CLAIM_PAIRS`` pairs, and the claim is not undecided for noise.
    """
    if claim.pairs < CLAIM_PAIRS or (times >= 1.0 and claim.verdict is not SpeedVerdict.FASTER):
        return False
    bound = hodges_lehmann_interval(pair_effects(claim.samples).tolist(), level, one_sided=True)
    return math.exp(bound.low) >= times


def _search_interval(pairs: Sequence[Pair], effects: np.ndarray, level: float) -> Interval:
    """Centre of the pairs, with the larger of their own spread and the within-pair error, and the process spread."""
    rng = np.random.default_rng(0)  # the same samples give the same interval
    centre = float(np.median(effects))
    within = []
    for base, other in pairs:
        logs = np.log(np.asarray(base) / np.asarray(other))
        drawn = logs[rng.integers(0, len(logs), (_RESAMPLES, len(logs)))]
        within.append(float(np.median(drawn, axis=1).var()))
    between = max(float(effects.var(ddof=1)) if len(effects) > 1 else 0.0, 2.0 * PROCESS_SPREAD**2)
    half = NormalDist().inv_cdf(0.5 + level / 2.0) * math.sqrt((float(np.mean(within)) + between) / len(pairs))
    return Interval(centre, centre - half, centre + half, level)


def _percent(spread: float) -> str:
    return f"within {spread * 100:.1f} %"
