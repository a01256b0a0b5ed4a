"""Run in a process of its own, so that it can be killed: one small training in a folder, from its last checkpoint."""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from speedwell.core.signature import Signature, TensorSpec
from speedwell.inputs import EncodedSplit
from speedwell.training.batch import batch_maker
from speedwell.training.learner import Learner
from speedwell.training.loader import Loader
from speedwell.training.loop import train
from speedwell.training.losses.classification import ClassLoss
from speedwell.training.parallel import joined
from speedwell.training.recipe import Augment, Loss, Optimizer, Recipe, Stop


class Noisy(nn.Module):
    """Draws from all three generators in its forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(8, 4)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.conv(image))).mean(dim=(2, 3))
        if self.training:
            x = x * (1 + 0.1 * random.random()) + 0.01 * float(np.random.standard_normal())
        return self.head(self.dropout(x))


class KillAt:
    """A watch that kills its own process when a step is reached."""

    def __init__(self, step: int) -> None:
        self.step = step

    def started(self, plan, step) -> None: ...

    def row(self, row) -> None:
        if self.step and row.step >= self.step:
            os.kill(os.getpid(), signal.SIGKILL)

    def note(self, text) -> None: ...

    def warning(self, text) -> None: ...


def recipe_of(optimizer: str, **changes) -> Recipe:
    lr = {"sgd": 0.05, "adamw": 0.01, "muon": 0.01}[optimizer]
    values = {
        "optimizer": Optimizer(optimizer, lr=lr), "ema": 0.9, "batch": 6, "augment": Augment(flip=True, crop=1),
        "stop": Stop(epochs=3), "checkpoint_seconds": 0.0,
    } | changes  # fmt: skip
    return Recipe(**values)


def score(network: nn.Module) -> float:
    """Some number that the weights decide."""
    return float(torch.sigmoid(network.head.weight.detach().square().sum()))


def main() -> None:
    folder, data, optimizer, kill = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    seconds = float(sys.argv[5]) if len(sys.argv) > 5 else 0.0
    torch.set_num_threads(1)
    torch.manual_seed(5)
    split = EncodedSplit.open(data)
    recipe = recipe_of(optimizer, checkpoint_seconds=seconds)
    signature = Signature((TensorSpec("image", "float32", ("batch", 3, 8, 8)),), ())
    with joined() as ranks:
        learner = Learner(Noisy(), ClassLoss(Loss()), recipe, signature, ranks=ranks)
        make = batch_maker(split, recipe.augment)
        loader = Loader(make, len(split), recipe.batch, recipe.seed, None, ranks.rank, ranks.world)
        train(learner, loader, folder, score, KillAt(kill))


if __name__ == "__main__":
    main()
