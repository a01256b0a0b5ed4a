"""A private training learns: handwritten digits, epsilon at most 8 for each of 1,437 of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from speedwell.networks import build_network
from speedwell.training.loop import train
from speedwell.training.private import PoissonLoader
from speedwell.training.recipe import Optimizer, Privacy, Schedule, Stop

from .conftest import maker, plain, private_learner, private_recipe


def group_norm() -> torch.nn.Module:
    torch.manual_seed(0)
    return build_network("residual", classes=10, size=[8, 8], channels=1, depth=8, width=8, norm="group")


@pytest.mark.parametrize(("build", "batch", "epochs"), [(plain, 128, 10), (group_norm, 192, 6)])
def test_digits_are_learnt_within_epsilon_8(tmp_path, build, batch, epochs):
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    pixels = (pixels.reshape(-1, 1, 8, 8) / 8 - 1).astype(np.float32)
    order = np.random.default_rng(0).permutation(len(pixels))
    pixels, labels, count = pixels[order], labels[order].astype(np.int64), 1437
    recipe = private_recipe(
        optimizer=Optimizer("sgd", lr=1.0, momentum=0.9, weight_decay=0.0), schedule=Schedule("cosine", 0.05),
        stop=Stop(epochs=epochs), batch=batch, ema=0.9, privacy=Privacy(epsilon=8.0, secure=False),
    )  # fmt: skip
    learner = private_learner(recipe, build())
    done = train(learner, PoissonLoader(maker(pixels, labels), count, batch, learner.secret), tmp_path / "run")
    spent = learner.spent(done.plan.total)
    assert 7.9 < spent.epsilon <= 8.0
    assert done.skipped == ()
    learner.network.eval()
    with learner.average.applied(), torch.no_grad():
        right = learner.network(torch.from_numpy(pixels[count:])).argmax(1).numpy() == labels[count:]
    assert right.mean() > 0.8
