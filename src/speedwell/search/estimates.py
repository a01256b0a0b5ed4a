"""What is expected of a candidate before anything of its kind was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Estimates"]

# Priors only order the first trials; each is replaced by the first measurement of its kind. The ratios are the
# medians of the design machine's table (benchmarks.md), the rest, and the native engine's, round figures.
_ENGINE_SECONDS = {"inductor": 40.0}
_ENGINE_RATIO = {"onnxruntime": 1.05, "openvino": 1.15, "inductor": 1.1, "native": 1.1}
_TRAIT_RATIO = {"static-int8": 1.9, "dynamic-int8": 1.4, "w4": 1.2, "bf16": 1.3, "f16": 1.1}
_TRAIT_HOLDS = {"static-int8": 0.6, "dynamic-int8": 0.8, "w4": 0.4, "bf16": 0.95, "f16": 0.95}


@dataclass(frozen=True)
class Estimates:
    """Priors. ``trial_seconds``: to evaluate and time one candidate at the original's speed, without building it.

    ``step_seconds`` by pass name, ``engine_seconds`` (compiling) and ``engine_ratio`` by engine name,
    ``trait_ratio`` (over float32 on the same engine) and ``trait_holds`` (the chance that the promise survives) by
    the trait that a step adds. Names that are not listed get the ``other_*`` values, so a plug-in needs no entry.
    """

    trial_seconds: float = 10.0
    step_seconds: Mapping[str, float] = field(default_factory=dict)
    engine_seconds: Mapping[str, float] = field(default_factory=lambda: dict(_ENGINE_SECONDS))
    engine_ratio: Mapping[str, float] = field(default_factory=lambda: dict(_ENGINE_RATIO))
    trait_ratio: Mapping[str, float] = field(default_factory=lambda: dict(_TRAIT_RATIO))
    trait_holds: Mapping[str, float] = field(default_factory=lambda: dict(_TRAIT_HOLDS))
    other_step_seconds: float = 3.0
    other_engine_seconds: float = 2.0
    other_ratio: float = 1.2
    other_holds: float = 0.5
