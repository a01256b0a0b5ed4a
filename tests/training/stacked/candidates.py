"""Networks, recipes and batches that the tests of stacked training share, and the bound that equality is held to."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from speedwell.core.signature import Signature, TensorSpec
from speedwell.training.batch import Batch
from speedwell.training.learner import Learner
from speedwell.training.losses.classification import ClassLoss
from speedwell.training.recipe import Recipe

FEATURES, CLASSES, SAMPLES = 12, 5, 16
UNIT = 2.0**-24
SIGNATURE = Signature((TensorSpec("input", "float32", ("batch", FEATURES)),), ())


def mlp(
    seed: int, *hidden: int, norm: str = "", act: type[nn.Module] = nn.ReLU, dropout: float = -1.0
) -> nn.Sequential:
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    inside = FEATURES
    for width in hidden:
        layers.append(nn.Linear(inside, width))
        layers += {"": [], "batch": [nn.BatchNorm1d(width)], "layer": [nn.LayerNorm(width)]}[norm]
        layers.append(act())
        layers += [nn.Dropout(dropout)] if dropout >= 0 else []
        inside = width
    return nn.Sequential(*layers, nn.Linear(inside, CLASSES))


class Branched(nn.Module):
    """No chain: ``vmap`` has to do it."""

    def __init__(self, seed: int, width: int = 8, norm: bool = True) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.first = nn.Linear(FEATURES, width)
        self.norm = nn.BatchNorm1d(width) if norm else nn.Identity()
        self.head = nn.Linear(width, CLASSES)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.first(input)))
        return self.head(x + x.square())


def batch_of(seed: int, n: int = SAMPLES) -> Batch:
    rng = np.random.default_rng(seed)
    x = torch.from_numpy(rng.standard_normal((n, FEATURES)).astype(np.float32))
    return Batch({"input": x}, torch.from_numpy(rng.integers(0, CLASSES, n)), np.arange(n) + 100 * seed)


def alone(
    network: nn.Module, recipe: Recipe, batches: Sequence[Batch], teacher: nn.Module | None = None
) -> tuple[Learner, list[float], list[float]]:
    """(a learner that has trained a copy of ``network`` by itself, its losses, its gradients' norms)."""
    learner = Learner(copy.deepcopy(network), ClassLoss(recipe.loss), recipe, SIGNATURE, teacher)
    done = [learner.step(b, len(b), i, recipe.optimizer.lr) for i, b in enumerate(batches)]
    return learner, [d.loss for d in done], [d.norm for d in done]


def weights_of(learner: Learner) -> dict[str, torch.Tensor]:
    """Copies, averaged where the recipe says so."""
    if learner.average is None:
        return {n: v.clone() for n, v in learner.network.state_dict().items()}
    with learner.average.applied():
        return {n: v.clone() for n, v in learner.network.state_dict().items()}


def furthest(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    assert a.keys() == b.keys()
    return max(float((a[n].double() - b[n].double()).abs().max()) for n in a)


def beyond(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor], most: float) -> int:
    """How many weights are further apart than ``most``."""
    assert a.keys() == b.keys()
    return sum(int(((a[n].double() - b[n].double()).abs() > most).sum()) for n in a)


def bound(recipe: Recipe, steps: int, largest: float, norm: float) -> float:
    """How far a weight may be from that of the run alone after ``steps``.

    SGD: each step rounds the weight (UNIT * largest) and moves it by the rate times a gradient whose sums, over the
    samples and over the longest layer, are within n UNIT of the sum of their terms' sizes (Higham 2002, section 4.2);
    those are taken as 8 times the norm; momentum m adds up 1 / (1 - m) of them. Twice that, for what a difference
    does to the next steps.

    AdamW divides a gradient by its own size, so where a gradient is nothing but rounding (its terms cancel; a bias in
    front of batch norm) the weight goes anywhere within the rate, alone on another machine as well: no bound of that
    form holds for all weights. Given is 2 thousandths of the distance that a weight can go (the rate a step); of 2,000
    random trainings of these networks one had a weight beyond it (``beyond`` allows a few), and a wrong rate, decay
    or count of steps has nearly all of them there.
    """
    lr = recipe.optimizer.lr
    if recipe.optimizer.name == "adamw":
        return 2e-3 * steps * lr + 8 * steps * UNIT * largest
    n = max(SAMPLES, FEATURES, 24)
    moved = lr * n * 8 * norm / (1 - recipe.optimizer.momentum)
    return 2 * steps * UNIT * (largest + moved)
