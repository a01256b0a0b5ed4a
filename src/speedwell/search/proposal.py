"""What the search says it will try, and what it says it will not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from speedwell.core import Candidate, Refusal

__all__ = ["Plan", "Proposal", "Rung"]

Rung = Literal["original", "lossless", "lossy", "repair", "variant"]


@dataclass(frozen=True)
class Proposal:
    """``why`` in words for the progress line; ``expected_ratio`` over the original; ``cost_seconds`` of the trial."""

    candidate: Candidate
    why: str
    expected_ratio: float
    cost_seconds: float
    rung: Rung = "lossy"


@dataclass(frozen=True)
class Plan:
    """``next`` is None where nothing that fits is worth trying. ``waiting``: what else would be tried as things
    stand, best first. ``skipped``: what is not tried, each with the reason.
    """

    next: Proposal | None
    waiting: tuple[Proposal, ...]
    skipped: tuple[Refusal, ...]
