"""The loop that every timing of calls comes from."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["call_seconds"]

Inputs = TypeVar("Inputs")


def call_seconds(run: Callable[[Inputs], object], inputs: Inputs, calls: int) -> list[float]:
    """Seconds of each of ``calls`` calls ``run(inputs)``, one after the other, around the call only."""
    clock = time.perf_counter
    samples = []
    for _ in range(calls):
        began = clock()
        run(inputs)
        samples.append(clock() - began)
    return samples
