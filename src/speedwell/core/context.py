"""What a pass is handed: callables and limits, so that no pass looks a room up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .hardware import Hardware
from .model import Model
from .workload import Workload

__all__ = ["Arrays", "Context"]

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Context:
    """``calibration()`` yields model inputs of the calibration split, one workload-sized batch at a time, the same
    each time (empty without data). ``run(model, inputs)`` runs the unoptimized reference of a model. ``scratch`` is a
    folder the pass may write into and where its product goes. ``seed`` fixes every random choice.
    ``train``, ``time`` and ``recover`` are None where the caller offers none.
    """

    calibration: Callable[[], Iterator[Arrays]]
    run: Callable[[Model, Arrays], Arrays]
    workload: Workload
    hardware: Hardware
    scratch: Path
    seed: int = 0
    budget_seconds: float = float("inf")
    train: Callable[[], Iterator[tuple[Arrays, np.ndarray]]] | None = None
    time: Callable[[Model], float] | None = None
    recover: Callable[[Model, Model], Model] | None = None
