"""How many arithmetic operations a forward pass, a backward pass and an update are."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .batch import Batch
from .guard import Buffers
from .learner import Learner
from .muon import Muon
from .optimizers import UPDATE_OPERATIONS

__all__ = ["Operations", "count_operations"]


@dataclass(frozen=True)
class Operations:
    """Multiplications and additions, counted one by one: ``forward`` and ``backward`` of one sample, ``update`` of one
    step. Forward and backward are those of matrix products, convolutions and attention, as torch's own counter has
    them; all else is small.
    """

    forward: int
    backward: int
    update: int


def count_operations(learner: Learner, batch: Batch) -> Operations:
    """Counts on at most two samples of ``batch``; the learner is left bit for bit as it was."""
    from torch.utils.flop_counter import FlopCounterMode

    few = batch.part(0, min(2, len(batch)))
    network = learner.network
    buffers = Buffers(network)
    buffers.keep()
    mode = network.training
    with torch.random.fork_rng(devices=[]):
        counter = FlopCounterMode(display=False)
        with counter:
            loss = learner.measure(few)
        forward = counter.get_total_flops()
        counter = FlopCounterMode(display=False)
        with counter:
            loss.backward()  # type: ignore[no-untyped-call]
        backward = counter.get_total_flops()
    network.zero_grad(set_to_none=True)
    buffers.restore()
    network.train(mode)
    return Operations(round(forward / len(few)), round(backward / len(few)), _update(learner))


def _update(learner: Learner) -> int:
    optimizer, name = learner.optimizer, learner.recipe.optimizer.name
    total = sum(p.numel() for p in learner.parameters) * UPDATE_OPERATIONS[name]
    if isinstance(optimizer, Muon):
        total += sum(Muon.operations(p.shape) for g in optimizer.param_groups if g["hidden"] for p in g["params"])
    return total
