"""What the search proposes: a pipeline of steps, and the engine that runs its product."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .record import content_hash

__all__ = ["Candidate", "Step"]


@dataclass(frozen=True)
class Step:
    """One pass by name with its parameters (plain JSON)."""

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """ "quantize_static(method=mse)" """
        inside = ", ".join(f"{k}={_short(v)}" for k, v in sorted(self.params.items()))
        return f"{self.name}({inside})" if inside else self.name


@dataclass(frozen=True)
class Candidate:
    """``steps`` in order, then ``engine`` (by name). The original is no step on its own engine."""

    steps: tuple[Step, ...]
    engine: str

    @cached_property
    def key(self) -> str:
        """Content hash: two candidates are the same iff their keys are."""
        return content_hash(self)

    @property
    def label(self) -> str:
        """ "to_onnx > fuse > quantize_static(method=mse) on onnxruntime" """
        return " > ".join([s.label for s in self.steps]) + (" on " if self.steps else "") + self.engine


def _short(value: Any) -> str:
    if isinstance(value, (list, tuple)) and len(value) > 2:
        return f"{len(value)} items"
    return str(value)
