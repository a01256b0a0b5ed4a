"""What happened to one candidate: measured, or failed in one of the typed ways."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from .candidate import Candidate
from .evidence import Evidence
from .workload import Workload

__all__ = ["Failure", "FailureKind", "Outcome", "StepEffect", "Timing"]


class FailureKind(enum.Enum):
    """The nine ways in which a worker process goes wrong (security.md D4), then the ways in which it says so itself."""

    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out of memory"
    CRASH = "crash"
    KILLED = "killed"
    SILENT_EXIT = "silent exit"
    WRONG_OUTPUT = "wrong output"
    NOT_FINITE = "not finite"
    WRONG_SHAPE = "wrong shape"
    WRONG_DTYPE = "wrong dtype"
    ERROR = "error"
    UNSUPPORTED = "unsupported"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True)
class Failure:
    """``stage``: build, compile, check, evaluate or time. ``detail``: the tail of what the worker printed."""

    kind: FailureKind
    stage: str
    message: str
    detail: str = ""


@dataclass(frozen=True, eq=False)
class Timing:
    """Paired latency samples of one workload, in seconds: per process pair the interleaved calls of the
    baseline and of the candidate (same length, same order).
    """

    workload: Workload
    baseline: tuple[tuple[float, ...], ...]
    candidate: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class StepEffect:
    """One step's own price: seconds to apply, bytes after it."""

    step: str
    seconds: float
    size_bytes: int
    note: str = ""


@dataclass(frozen=True, eq=False)
class Outcome:
    """One trial. Measured: ``timings``, ``evidence`` (on the selection split; may cover only its first part, when
    it was clear early) and sizes. Failed: ``failure``.
    ``facts``: what the session said of itself (provider, precision, threads). ``artifact``: digest of the product.
    """

    candidate: Candidate
    timings: tuple[Timing, ...] = ()
    evidence: Evidence | None = None
    metric: float | None = None
    size_bytes: int = 0
    memory_bytes: int = 0
    build_seconds: float = 0.0
    seconds: float = 0.0
    effects: tuple[StepEffect, ...] = ()
    artifact: str = ""
    failure: Failure | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    lossless: bool = False
    number: int = -1
