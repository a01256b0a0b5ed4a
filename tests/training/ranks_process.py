"""What one of several processes does in ``test_parallel.py``."""

from __future__ import annotations

import copy
import dataclasses
import sys

import numpy as np
import torch
from torch import nn

from speedwell.core.signature import Signature, TensorSpec
from speedwell.training.batch import Batch
from speedwell.training.learner import Learner
from speedwell.training.losses.classification import ClassLoss
from speedwell.training.parallel import Ranks, joined
from speedwell.training.recipe import Loss, Optimizer, Recipe
from speedwell.training.state import learner_state

SIGNATURE = Signature((TensorSpec("x", "float32", ("batch", 12)),), ())
BOUND = 2e-6
"""Relative: sums of a few hundred float32 terms in another order."""


class Plain(nn.Module):
    def __init__(self, norm: bool = False) -> None:
        super().__init__()
        self.first = nn.Linear(12, 32)
        self.norm = nn.BatchNorm1d(32) if norm else nn.Identity()
        self.head = nn.Linear(32, 5)

    def forward(self, x):
        return self.head(torch.relu(self.norm(self.first(x))))


def batch_of(seed: int, n: int) -> Batch:
    rng = np.random.default_rng(seed)
    x = torch.from_numpy(rng.standard_normal((n, 12)).astype(np.float32))
    return Batch({"x": x}, torch.from_numpy(rng.integers(0, 5, n)), np.arange(n))


def part(batch: Batch, ranks: Ranks) -> Batch:
    index = np.arange(ranks.rank, len(batch), ranks.world)
    return Batch({n: v[index] for n, v in batch.inputs.items()}, batch.targets[index], batch.samples[index])


def close(a, b) -> bool:
    return bool((a - b).abs().max() <= BOUND * max(1.0, float(b.abs().max())) * 10)


def gradient(ranks: Ranks) -> None:
    """Ten steps on shares of batches against ten on whole ones; 25 and 23 do not divide by the processes."""
    torch.manual_seed(0)
    start = Plain()
    recipe = Recipe(optimizer=Optimizer("sgd", lr=0.1), batch=25, accumulation=2)
    alone = Learner(copy.deepcopy(start), ClassLoss(Loss()), recipe, SIGNATURE)
    shared = Learner(copy.deepcopy(start), ClassLoss(Loss()), recipe, SIGNATURE, ranks=ranks)
    for number in range(10):
        batch = batch_of(number, 25 - 2 * (number % 2))
        one = alone.step(batch, len(batch), number, 0.1)
        all_of_us = shared.step(part(batch, ranks), len(batch), number, 0.1)
        assert abs(one.loss - all_of_us.loss) < 1e-5, (one.loss, all_of_us.loss)
        assert abs(one.norm - all_of_us.norm) < 1e-5 * one.norm
    for a, b in zip(shared.network.parameters(), alone.network.parameters(), strict=True):
        assert close(a, b), float((a - b).abs().max())
    print("equal")


def faults(ranks: Ranks, count: int) -> None:
    """One process alone has a fault: every process must end as if that batch had been left out, on all."""
    rng = np.random.default_rng(7)  # the same on each: they agree on who is hurt
    recipe = Recipe(optimizer=Optimizer("adamw", lr=0.01), ema=0.9, clip=1.0, batch=12)
    for number in range(count):
        torch.manual_seed(number)
        start = Plain(norm=True)
        hurt = Learner(copy.deepcopy(start), ClassLoss(Loss()), recipe, SIGNATURE, ranks=ranks)
        whole = Learner(copy.deepcopy(start), ClassLoss(Loss()), recipe, SIGNATURE, ranks=ranks)
        victim, place = int(rng.integers(ranks.world)), int(rng.integers(4))
        value = [float("nan"), float("inf"), 1e30][int(rng.integers(3))]
        batch = part(batch_of(number, 12), ranks)
        handle = None
        broken = batch
        plain_loss = hurt.loss
        if ranks.rank == victim:
            if place == 0:
                x = batch.inputs["x"].clone()
                x[0, 0] = value
                broken = dataclasses.replace(batch, inputs={"x": x})
            elif place == 1:
                broken = dataclasses.replace(batch, targets=batch.targets - 100)
            elif place == 2:
                hurt.loss = lambda outputs, targets, f=value, loss=plain_loss: loss(outputs, targets) * f
            else:
                handle = hurt.parameters[0].register_hook(lambda g, v=value: torch.full_like(g, v))
        done = hurt.step(broken, 12, 0, 0.01)
        hurt.loss = plain_loss
        if handle is not None:
            handle.remove()
        assert done.skip is not None, (number, place, value)
        for learner in (hurt, whole):
            assert learner.step(batch, 12, 1, 0.01).skip is None
        a, b = learner_state(hurt)[0], learner_state(whole)[0]
        assert all(torch.equal(a[n], b[n]) for n in b), (number, place, value)
    print(f"{count} faults, no trace")


def sharded(ranks: Ranks) -> None:
    torch.manual_seed(0)
    start = Plain()
    recipe = Recipe(optimizer=Optimizer("sgd", lr=0.1), batch=24)
    alone = Learner(copy.deepcopy(start), ClassLoss(Loss()), recipe, SIGNATURE)
    spread = Ranks(ranks.rank, ranks.world, sharded=True)
    shared = Learner(copy.deepcopy(start), ClassLoss(Loss()), recipe, SIGNATURE, ranks=spread)
    for number in range(5):
        batch = batch_of(number, 24)
        one = alone.step(batch, 24, number, 0.1)
        both = shared.step(part(batch, ranks), 24, number, 0.1)
        assert abs(one.norm - both.norm) < 1e-4 * one.norm, (one.norm, both.norm)
    for a, b in zip(shared.network.parameters(), alone.network.parameters(), strict=True):
        assert close(a.full_tensor(), b)
    print("equal")


def ends(ranks: Ranks) -> None:
    """Short work, after which something still holds the group, as a network in a cycle of references does."""
    kept.append(torch.distributed.group.WORLD)
    for _ in range(20):
        ranks.agreed(False, False, 0.0)
    print("done")


kept: list[object] = []


def main() -> None:
    torch.set_num_threads(1)
    with joined() as ranks:
        if sys.argv[1] == "gradient":
            gradient(ranks)
        elif sys.argv[1] == "faults":
            faults(ranks, int(sys.argv[2]))
        elif sys.argv[1] == "ends":
            ends(ranks)
        else:
            sharded(ranks)


if __name__ == "__main__":
    main()
