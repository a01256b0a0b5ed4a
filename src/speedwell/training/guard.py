"""The finite guard: nothing that is not a number, or too large to be one, reaches weights, statistics or moments.

Checked before the optimizer, on every rank, in this order: what goes in, the loss, the gradient. A step that fails is
as if its batch had been left out: weights, buffers (batch-norm statistics move in the forward pass), averages, moments
and random numbers are those of a run that never saw it (``security.md``, A1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from ..core.errors import DivergenceError
from .sharding import whole

__all__ = [
    "LARGEST", "MOST_SKIPS", "Buffers", "Guard", "Skip", "fault_of", "gradient_norm", "implausible_samples",
    "plausible",
]  # fmt: skip

LARGEST = 1e15
"""No input, loss or gradient norm of a training that works comes near; 1e30 in one number does, by itself."""
MOST_SKIPS = 10


@dataclass(frozen=True)
class Skip:
    """A step that was left out. ``where``: "input", "label", "loss" or "gradient". ``samples``: positions in the data
    set that may be the cause: the offending ones where they are known (inputs, labels), else all of the batch's.
    """

    step: int
    where: str
    samples: tuple[int, ...]


class Buffers:
    """A copy of the buffers that a forward pass changes, to put back where its step is left out."""

    def __init__(self, network: nn.Module) -> None:
        self.live = [b for b in network.buffers() if b.numel()]
        self._kept = [torch.empty_like(b) for b in self.live]

    @torch.no_grad()
    def keep(self) -> None:
        if self.live:
            torch._foreach_copy_(self._kept, self.live)

    @torch.no_grad()
    def restore(self) -> None:
        if self.live:
            torch._foreach_copy_(self.live, self._kept)


class Guard:
    """Counts skips. ``origins``: what a person calls the samples, by position."""

    def __init__(self, origins: Sequence[str] = ()) -> None:
        self.skips: list[Skip] = []
        self.in_a_row = 0
        self._origins = origins

    def passed(self) -> None:
        self.in_a_row = 0

    def skipped(self, skip: Skip) -> None:
        """Note it. Raises ``DivergenceError`` at the tenth in a row."""
        self.skips.append(skip)
        self.in_a_row += 1
        if self.in_a_row >= MOST_SKIPS:
            raise DivergenceError(
                f"{self.in_a_row} steps in a row were not finite ({skip.where}; at step {skip.step + 1}: "
                f"{self.named(skip)})",
                "The last good checkpoint is kept. Lower optimizer.lr, set clip, or look at the samples named.",
            )

    def named(self, skip: Skip, most: int = 5) -> str:
        """The samples of a skip in words."""
        names = [self._origins[i] if i < len(self._origins) else f"sample {i}" for i in skip.samples]
        return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def implausible_samples(inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """bool [N]: samples of which an input holds NaN, an infinity or more than ``LARGEST``; usually one pass."""
    found: torch.Tensor | None = None
    for value in inputs.values():
        if not value.is_floating_point() or not value.numel() or plausible(value):
            continue
        bad = ~(value.abs() <= LARGEST).reshape(len(value), -1).all(dim=1)
        found = bad if found is None else found | bad
    if found is None:
        found = torch.zeros(len(next(iter(inputs.values()))), dtype=torch.bool)
    return found


def fault_of(inputs: Mapping[str, torch.Tensor], targets: Any, samples: np.ndarray) -> tuple[str, tuple[int, ...]]:
    """What is wrong with a batch before it reaches a network, and with which of ``samples``: ("input", the offending
    ones), ("label", all), or ("", none). Labels are whole numbers from 0 on; numbers beside them (boxes) are plausible.
    """
    bad = implausible_samples(inputs)
    if bool(bad.any()):
        return "input", tuple(samples[bad.numpy()].tolist())
    if not isinstance(targets, torch.Tensor):
        fine = targets.plausible()
    elif targets.is_floating_point():
        fine = plausible(targets)
    else:
        fine = not targets.numel() or int(targets.min()) >= 0
    return ("", ()) if fine else ("label", tuple(samples.tolist()))


def plausible(value: torch.Tensor) -> bool:
    """True where every number is finite and none is beyond ``LARGEST``."""
    low, high = torch.aminmax(value.detach())
    # a NaN anywhere makes both NaN, and no comparison with it holds
    return bool(low >= -LARGEST) and bool(high <= LARGEST)


def gradient_norm(parameters: Sequence[torch.Tensor]) -> torch.Tensor:
    """The 2-norm over all gradients, float32 scalar; NaN or infinite where one number is."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    if not gradients:
        return torch.zeros(())
    norm: torch.Tensor = torch.stack(torch._foreach_norm(gradients)).norm()
    return whole(norm)
