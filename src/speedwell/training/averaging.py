"""``Average``: the exponential moving average of the weights, which is what is validated and handed over."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import nn

__all__ = ["Average", "warmed"]


class Average:
    """Follows ``network``'s parameters and float buffers (batch statistics belong to the weights that made them) with
    ``decay`` (0..1), ``warmed``.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self._network = network
        self.values = {n: v.detach().clone() for n, v in self._followed().items()}

    @torch.no_grad()
    def update(self) -> None:
        """After each step of the optimizer."""
        self.updates += 1
        decay = warmed(self.decay, self.updates)
        now = self._followed()
        torch._foreach_lerp_(list(self.values.values()), [now[n] for n in self.values], 1 - decay)

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Inside, the network holds the averaged weights; after it, bit for bit those it had."""
        now = self._followed()
        before = {n: v.clone() for n, v in now.items()}
        try:
            _copy(now, self.values)
            yield
        finally:
            _copy(now, before)

    def _followed(self) -> dict[str, torch.Tensor]:
        trained = {n: p.detach() for n, p in self._network.named_parameters() if p.requires_grad}
        return trained | {n: b for n, b in self._network.named_buffers() if b.is_floating_point() and b.numel()}


def warmed(decay: float, updates: int) -> float:
    """The decay of update number ``updates`` (from 1): at most (1 + t) / (10 + t), so that the first steps weigh
    more and a short training is not held back by its start.
    """
    return min(decay, (1 + updates) / (10 + updates))


@torch.no_grad()
def _copy(to: dict[str, torch.Tensor], values: dict[str, torch.Tensor]) -> None:
    for name, value in values.items():
        to[name].copy_(value)
