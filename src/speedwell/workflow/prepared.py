"""What preparation found out, as one record in ``run.json``: all that searching, confirming and resuming need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core.candidate import Candidate
from ..core.model import Model
from ..core.verdict import Promise
from ..core.workload import Workload
from .settings import Settings

__all__ = ["DataFacts", "Prepared", "bundleable"]


@dataclass(frozen=True)
class DataFacts:
    """What the data is. ``counts``: samples per split, all of them; ``encoded``: those ready for use.

    ``encode_seconds``: per sample. ``lengths``: (median, 95th percentile) in tokens for texts, else empty.
    ``digests``: one per split over its samples' digests, so that a resumed run sees the same data.
    """

    task: str
    kind: str
    classes: tuple[str, ...] = ()
    labelled: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)
    encoded: Mapping[str, int] = field(default_factory=dict)
    encode_seconds: float = 0.0
    lengths: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()
    metric: str = "accuracy"

    @property
    def pictures(self) -> bool:
        """True where the samples are images."""
        return self.kind in ("image", "letterbox")

    @property
    def none(self) -> bool:
        """True where no data was given: lossless engines only."""
        return not self.counts


@dataclass(frozen=True)
class Prepared:
    """``original``: the model as opened. ``engine``: what it runs on by itself. ``feeds``: one npz per workload;
    ``checks``: npz files whose outputs are compared with the original's. ``selection``: samples the search looks at.
    """

    settings: Settings
    model: Model
    engine: str
    data: DataFacts
    promise: Promise
    workloads: tuple[Workload, ...]
    feeds: tuple[Path, ...]
    checks: tuple[Path, ...]
    folder: Path
    original_score: float | None = None
    selection: int = 0
    confirmation: int = 0
    preflight: str = ""
    offers: tuple[Any, ...] = ()

    @property
    def candidate(self) -> Candidate:
        """The original as a candidate."""
        return Candidate((), self.engine)

    @property
    def lossless_only(self) -> bool:
        return self.data.none


def bundleable(prepared: Prepared, candidate: Candidate) -> str:
    """Why a candidate cannot be handed over; "" where it can. A live module has no factory to build it from."""
    torch_form = prepared.model.form == "torch" and not any(s.name == "to_onnx" for s in candidate.steps)
    if torch_form and prepared.model.origin.kind == "live":
        return "comparison only: a live module has no factory that a bundle could name"
    return ""
