"""Which number format a training computes in, where the recipe leaves it to a measurement."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .learner import Learner
    from .loader import Loader

__all__ = ["GAIN", "choose_precision"]

GAIN = 1.2
"""So many times as fast must bfloat16 be to be taken: for less, its coarser gradients are not worth having."""
TURNS = 3


def choose_precision(learner: Learner, loader: Loader) -> str:
    """Put the faster of float32 and bfloat16 into ``learner.precision``, for all processes the same; say why in words.

    Timed are forward and backward on the first sound batch, ``TURNS`` times in turn after one of each to warm up; the
    best counts, for others only ever make a turn longer. The learner is otherwise left bit for bit as it was.
    """
    with contextlib.closing(loader.epoch(0)) as batches:
        found = next(((batch, whole) for batch, whole in batches if learner.rehearse(batch, whole)), None)
    if found is None:
        return f"{learner.precision}: no batch is fit to be measured"
    seconds = {"float32": float("inf"), "bfloat16": float("inf")}
    for turn in range(1 + TURNS):
        for name, best in seconds.items():
            learner.precision = name
            took = _seconds(learner, *found)
            seconds[name] = min(best, took) if turn else best
    gain = seconds["float32"] / seconds["bfloat16"]
    # the first process decides: two that measured apart could differ, and their gradients are added
    taken = learner.ranks.worst(int(learner.ranks.first and gain >= GAIN))
    learner.precision = "bfloat16" if taken else "float32"
    return f"{learner.precision}: a step in bfloat16 is {gain:.2f} times as fast here (taken from {GAIN:g} on)"


def _seconds(learner: Learner, batch: Any, whole: int) -> float:
    began = time.perf_counter()
    learner.rehearse(batch, whole)
    return time.perf_counter() - began
