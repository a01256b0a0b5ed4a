from __future__ import annotations

import numpy as np
import torch
from torch import nn

from speedwell.core.signature import Signature, TensorSpec
from speedwell.training.batch import Batch
from speedwell.training.losses.classification import ClassLoss
from speedwell.training.private import PoissonLoader, PrivateLearner, Secret
from speedwell.training.recipe import Loss, Optimizer, Privacy, Recipe, Schedule, Stop

SIGNATURE = Signature((TensorSpec("image", "float32", ("batch", 1, 8, 8)),), ())


def plain(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))


def private_recipe(**changes) -> Recipe:
    privacy = changes.pop("privacy", None) or Privacy(noise=1.0, secure=False)
    plain = {"optimizer": Optimizer("sgd", lr=1.0, momentum=0.0, weight_decay=0.0), "schedule": Schedule("constant", 0)}
    return Recipe(**{**plain, "batch": 16, "stop": Stop(epochs=1), "privacy": privacy, **changes})


def private_learner(recipe: Recipe | None = None, network: nn.Module | None = None, **changes) -> PrivateLearner:
    given = {"loss": ClassLoss(Loss()), "signature": SIGNATURE, "secret": Secret.of_seed(0), **changes}
    return PrivateLearner(network or plain(), recipe=recipe or private_recipe(), **given)


def numbers(n: int = 160, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, 1, 8, 8)).astype(np.float32), rng.integers(0, 10, n)


def maker(pixels: np.ndarray, labels: np.ndarray):
    def make(index, rng) -> Batch:
        del rng
        return Batch({"image": torch.from_numpy(pixels[index])}, torch.from_numpy(labels[index]), index)

    return make


def batch_of(n: int, seed: int = 1) -> Batch:
    return maker(*numbers(n, seed))(np.arange(n), None)


def begun(learner: PrivateLearner, count: int = 160) -> PrivateLearner:
    """Ready for steps, as after the beginning of a training with ``count`` samples."""
    loader = PoissonLoader(maker(*numbers(count)), count, learner.recipe.batch, learner.secret)
    learner.begin(loader, 100)
    return learner


def flat(values) -> torch.Tensor:
    return torch.cat([v.detach().double().reshape(-1) for v in values])
