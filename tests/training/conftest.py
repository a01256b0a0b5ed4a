from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from speedwell.core.signature import Signature, TensorSpec
from speedwell.inputs import EncodedSplit, ImageTransform, Samples
from speedwell.training.batch import Batch
from speedwell.training.learner import Learner
from speedwell.training.losses.classification import ClassLoss
from speedwell.training.recipe import Loss, Recipe

SIGNATURE = Signature((TensorSpec("image", "float32", ("batch", 3, 8, 8)),), ())


class Small(nn.Module):
    """A convolution, batch norm, dropout, a head: something of each that training has to carry on."""

    def __init__(self, classes: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(8, classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.conv(image))).mean(dim=(2, 3))
        return self.head(self.dropout(x))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """These networks are so small that threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def small(seed: int = 0) -> Small:
    torch.manual_seed(seed)
    return Small()


def learner_of(recipe: Recipe, seed: int = 0, **changes) -> Learner:
    loss = changes.pop("loss", None) or ClassLoss(Loss())
    return Learner(changes.pop("network", None) or small(seed), loss, recipe, SIGNATURE, **changes)


def random_batch(seed: int, n: int = 6) -> Batch:
    rng = np.random.default_rng(seed)
    image = torch.from_numpy(rng.standard_normal((n, 3, 8, 8)).astype(np.float32))
    return Batch({"image": image}, torch.from_numpy(rng.integers(0, 4, n)), np.arange(n) + 100 * seed)


def coloured_squares(n: int, seed: int = 0) -> Samples:
    """Noise with one of four colour casts: learnt in a few steps."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 4
    pixels = rng.integers(0, 120, (n, 8, 8, 3)).astype(np.uint8)
    for i, label in enumerate(labels):
        if label < 3:
            pixels[i, :, :, label] += 100
    return Samples(lambda i: pixels[i], labels, [f"square {i}" for i in range(n)], ("red", "green", "blue", "grey"))


@pytest.fixture
def split(tmp_path: Path) -> EncodedSplit:
    transform = ImageTransform("image", (8, 8), mean=(0.3,) * 3, std=(0.3,) * 3)
    return EncodedSplit.write(tmp_path / "split", coloured_squares(40), np.arange(40), transform)


def everything(learner: Learner) -> dict[str, torch.Tensor]:
    """Copies of weights, buffers, moments and averages."""
    from speedwell.training.state import learner_state

    tensors, _ = learner_state(learner)
    return {n: t.clone() for n, t in tensors.items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[n], b[n]) for n in a)
