"""Verdicts and the numbers under them. A claim is never a bare number: it has an interval, a test and an n."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from .workload import Workload

__all__ = ["CLAIM_PAIRS", "AccuracyClaim", "AccuracyVerdict", "Interval", "Promise", "SpeedClaim", "SpeedVerdict"]


CLAIM_PAIRS = 12
"""Pairs of fresh processes that a latency claim needs; an interval from fewer is an estimate."""


class SpeedVerdict(enum.Enum):
    """Of a candidate against a baseline."""

    FASTER = "faster"
    SLOWER = "slower"
    UNDECIDED = "undecided"


class AccuracyVerdict(enum.Enum):
    """Of a candidate against the original, at the promised margin. ``KEPT`` may be false 1 in 20 at the margin."""

    BETTER = "better"
    KEPT = "kept"
    LOST = "lost"
    UNDECIDED = "undecided"

    @property
    def holds(self) -> bool:
        """True where the promise is certified."""
        return self in (AccuracyVerdict.BETTER, AccuracyVerdict.KEPT)


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval at ``level`` (0..1, two-sided unless ``one_sided``)."""

    estimate: float
    low: float
    high: float
    level: float = 0.95
    one_sided: bool = False


@dataclass(frozen=True)
class Promise:
    """What the user asked for. ``kind``: "accuracy" (labels; margin in 0..1 points below the original),
    "agreement" (no labels; share of answers allowed to differ, 0..1) or "equal" (no data: lossless engines only).
    ``stated``: the user's words ("1pt", "1%rel", "auto", "agree 99%").
    """

    kind: str
    margin: float
    stated: str
    alpha: float = 0.05


@dataclass(frozen=True)
class AccuracyClaim:
    """The paired comparison on ``n`` samples. ``lower``: one-sided bound on candidate minus original
    (for "agreement": minus the upper bound on disagreement). ``n12`` candidate right and original wrong,
    ``n21`` the reverse. ``need``: samples needed to decide, 0 where decided.
    """

    verdict: AccuracyVerdict
    original: float
    candidate: float
    lower: float
    margin: float
    n: int
    test: str
    n12: int = 0
    n21: int = 0
    need: int = 0
    alpha: float = 0.05
    note: str = ""


@dataclass(frozen=True)
class SpeedClaim:
    """``ratio`` = baseline time / candidate time, over ``pairs`` pairs of fresh processes; > 1 means faster.
    ``baseline``: "original" or the label of the fastest float32 engine.
    """

    verdict: SpeedVerdict
    ratio: Interval
    baseline: str
    workload: Workload
    pairs: int
    baseline_seconds: float
    candidate_seconds: float
    note: str = ""
    samples: tuple[tuple[tuple[float, ...], tuple[float, ...]], ...] = field(default=())

    @property
    def is_claim(self) -> bool:
        """True where enough pairs were timed to claim anything."""
        return self.pairs >= CLAIM_PAIRS
