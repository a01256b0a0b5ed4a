"""What goes into a bundle, before it is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from speedwell.core import Candidate, Confirmation, Evidence, Hardware, Model, Promise, SpeedClaim, Timing, Workload

from .probe import Probe

__all__ = ["BundleContents", "BundleEvidence", "EvidenceRecord"]


@dataclass(frozen=True, eq=False)
class EvidenceRecord:
    """``evidence/evidence.json``: the verdicts, what they were measured on, and the raw timings. No user sample.

    ``created``: seconds since the epoch. ``fingerprint``: ``Hardware.fingerprint`` of the machine that measured;
    another one calls for the self-check. ``environment``: further plain JSON.
    """

    created: float
    fingerprint: str
    hardware: Hardware
    confirmation: Confirmation | None = None
    a_a: tuple[SpeedClaim, ...] = ()
    timings: tuple[Timing, ...] = ()
    environment: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class BundleEvidence:
    """The record, and per-sample ``scores`` by who gave them ("original", "winner"); ``probe`` for the self-check."""

    record: EvidenceRecord
    scores: Mapping[str, Evidence] = field(default_factory=dict)
    probe: Probe | None = None


@dataclass(frozen=True, eq=False)
class BundleContents:
    """``model``: the winner's product. ``original``: the original's digest. ``preprocessing``: a folder that holds
    transform.json (and tokenizer.json), as ``Transform.save`` writes it; None where raw samples are tensors.
    ``answer``: the task's options by which outputs become an answer. ``beside``: called with the payload as it lies in
    the bundle, before anything is hashed; writes further files beside it, which the manifest then lists as all others.
    """

    model: Model
    candidate: Candidate
    task: str
    classes: tuple[str, ...]
    promise: Promise
    workloads: tuple[Workload, ...]
    original: str
    confirmed: bool
    preprocessing: Path | None
    evidence: BundleEvidence
    speedwell: str
    answer: Mapping[str, Any] = field(default_factory=dict)
    beside: Callable[[Path], object] | None = None
