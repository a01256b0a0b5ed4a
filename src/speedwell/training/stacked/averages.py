"""``Averages``: the moving averages of K candidates' weights, each with its own decay (``averaging.py``)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import torch

from ..averaging import warmed
from .stack import Stack

__all__ = ["Averages"]


class Averages:
    """Rows of candidates with a decay of 0 are left out."""

    def __init__(self, stack: Stack, decays: Sequence[float]) -> None:
        self.decays = tuple(decays)
        self.updates = [0] * len(stack)
        self._on = [k for k, d in enumerate(decays) if d]
        floats = {n: b for n, b in stack.buffers.items() if b.is_floating_point() and b[0].numel()}
        followed = {n: p.detach() for n, p in stack.trained.items()} | floats if self._on else {}
        self.values = {n: v.clone() for n, v in followed.items()}
        self._now = {n: v.unbind(0) for n, v in followed.items()}
        self._rows = {n: v.unbind(0) for n, v in self.values.items()}

    @torch.no_grad()
    def update(self, which: Sequence[int]) -> None:
        """After a step of the candidates in ``which``."""
        for k in which:
            if self.decays[k]:
                self.updates[k] += 1
                decay = warmed(self.decays[k], self.updates[k])
                mine = [rows[k] for rows in self._rows.values()]
                torch._foreach_lerp_(mine, [rows[k] for rows in self._now.values()], 1 - decay)

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Inside, the stack holds the averaged weights; after it, bit for bit those it had."""
        with torch.no_grad():
            before = {n: [rows[k].clone() for k in self._on] for n, rows in self._now.items()}
            for name, rows in self._now.items():
                for k in self._on:
                    rows[k].copy_(self._rows[name][k])
        try:
            yield
        finally:
            with torch.no_grad():
                for name, rows in self._now.items():
                    for k, value in zip(self._on, before[name], strict=True):
                        rows[k].copy_(value)
