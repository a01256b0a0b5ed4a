"""The end of a run: what won, at what price, how sure, and what lost and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .candidate import Candidate
from .hardware import Hardware
from .outcome import Outcome
from .verdict import AccuracyClaim, Promise, SpeedClaim
from .workload import Workload

__all__ = ["Confirmation", "Refusal", "Result"]


@dataclass(frozen=True)
class Confirmation:
    """One finalist on the confirmation split and in fresh process rounds. ``speed``: one claim per workload and
    baseline, the original first. ``certified``: promise kept and faster than the original.
    """

    candidate: Candidate
    accuracy: AccuracyClaim
    speed: tuple[SpeedClaim, ...]
    certified: bool
    reason: str = ""


@dataclass(frozen=True)
class Refusal:
    """A candidate that lost, and why, in words."""

    candidate: Candidate
    reason: str


@dataclass(frozen=True, eq=False)
class Result:
    """``best`` is None where the answer is "keep the original". ``sentence`` is the verdict a person reads first."""

    run: str
    sentence: str
    promise: Promise
    workloads: tuple[Workload, ...]
    original: Outcome
    best: Candidate | None
    front: tuple[Candidate, ...]
    refused: tuple[Refusal, ...]
    confirmations: tuple[Confirmation, ...]
    splits: Mapping[str, int]
    a_a: tuple[SpeedClaim, ...]
    hardware: Hardware
    environment: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
