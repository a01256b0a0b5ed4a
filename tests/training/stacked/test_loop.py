from __future__ import annotations

import numpy as np
import pytest
import torch

from speedwell.core.errors import UsageError
from speedwell.training.batch import Batch
from speedwell.training.learner import Learner
from speedwell.training.loader import Loader
from speedwell.training.loop import train
from speedwell.training.losses.classification import ClassLoss
from speedwell.training.recipe import Loss, Optimizer, Recipe, Schedule, Stop
from speedwell.training.stacked import SharedLearner, StackedLearner, train_together

from .candidates import CLASSES, FEATURES, SIGNATURE, mlp

RNG = np.random.default_rng(0)
CENTRES = RNG.standard_normal((CLASSES, FEATURES)).astype(np.float32) * 2
TARGETS = RNG.integers(0, CLASSES, 100)
VALUES = (CENTRES[TARGETS] + RNG.standard_normal((100, FEATURES))).astype(np.float32)


def make(index: np.ndarray, rng: np.random.Generator | None) -> Batch:
    del rng
    return Batch({"input": torch.from_numpy(VALUES[index])}, torch.from_numpy(TARGETS[index]), index)


def loader(seed: int = 0, batch: int = 16) -> Loader:
    return Loader(make, len(TARGETS), batch, seed)


def accuracy(learner) -> list[float]:
    scores = learner.outputs({"input": torch.from_numpy(VALUES)})
    return (scores.argmax(dim=2) == torch.from_numpy(TARGETS)).double().mean(dim=1).tolist()


def recipe(lr: float, stop: Stop | None = None, **changes) -> Recipe:
    return Recipe(optimizer=Optimizer("sgd", lr), stop=stop or Stop(epochs=3), **changes)


@pytest.mark.parametrize("kind", [StackedLearner, SharedLearner])
@pytest.mark.parametrize("own", [True, False])
def test_each_candidate_ends_as_the_loop_alone_leaves_it(kind, own, tmp_path):
    schedules = (Schedule("linear", 0.2, 0.1), Schedule("cosine"))
    recipes = [recipe(lr, schedule=s, seed=k) for k, (lr, s) in enumerate(zip((0.02, 0.05), schedules, strict=True))]
    loaders = [loader(k if own else 0) for k in range(2)]
    learner = kind([mlp(k, 8) for k in range(2)], recipes, SIGNATURE)
    done = train_together(learner, loaders if own else loaders[0])
    for k, r in enumerate(recipes):
        solo = Learner(mlp(k, 8), ClassLoss(Loss()), r, SIGNATURE)
        ended = train(solo, loaders[k], tmp_path / str(k))
        assert done[k].position.step == ended.position.step == 21
        assert done[k].reason == ended.reason
        assert done[k].metric is None
        for name, value in solo.network.state_dict().items():
            assert torch.allclose(done[k].weights[name], value, atol=1e-5)


@pytest.mark.parametrize("kind", [StackedLearner, SharedLearner])
def test_a_candidate_that_diverges_ends_alone_and_the_others_learn(kind):
    recipes = [recipe(lr, Stop(epochs=8, diverged=3.0)) for lr in (0.05, 80.0, 0.02)]
    done = train_together(kind([mlp(k, 8) for k in range(3)], recipes, SIGNATURE), loader(), accuracy)
    assert [d.failed for d in done] == [False, True, False]
    assert "the loss grew to" in done[1].reason or "not finite" in done[1].reason
    assert done[1].position.step < done[0].position.step == 56
    assert done[0].metric > 0.8


def test_weights_are_those_of_the_best_validation():
    recipes = [recipe(0.05, Stop(epochs=4)), recipe(0.05, Stop(epochs=4))]
    said = iter([[0.2, 0.9], [0.5, 0.3], [0.7, 0.2], [0.1, 0.9]])
    kept = []

    def validate(learner) -> list[float]:
        kept.append([learner.state(k) for k in range(2)])
        return next(said)

    done = train_together(StackedLearner([mlp(0, 8), mlp(1, 8)], recipes, SIGNATURE), loader(), validate)
    assert [d.metric for d in done] == [0.7, 0.9]
    assert [d.position.best_step for d in done] == [21, 7]
    assert torch.equal(done[0].weights["0.weight"], kept[2][0]["0.weight"])
    assert torch.equal(done[1].weights["0.weight"], kept[0][1]["0.weight"])


def test_each_candidate_stops_by_its_own_conditions():
    recipes = [
        recipe(0.05, Stop(epochs=6, target=0.5)), recipe(1e-6, Stop(epochs=6, patience=2)), recipe(1e-6, Stop(epochs=6))
    ]  # fmt: skip
    learner = StackedLearner([mlp(k, 8) for k in range(3)], recipes, SIGNATURE)
    done = train_together(learner, loader(), accuracy)
    assert done[0].reason.startswith("the target 50.0% is reached")
    assert done[1].reason.startswith("no better validation for 2 times")
    assert done[2].reason.startswith("all 42 steps are done")
    assert done[0].position.step < 42


def test_time_ends_all():
    learner = StackedLearner([mlp(0, 8)], [recipe(0.01, Stop(epochs=1e6))], SIGNATURE)
    (done,) = train_together(learner, loader(), seconds=0.2)
    assert done.reason == "the 0.2 seconds are over"
    assert not done.failed


def test_samples_that_are_never_finite_end_with_a_reason():
    def poisoned(index: np.ndarray, rng: np.random.Generator | None) -> Batch:
        batch = make(index, rng)
        batch.inputs["input"][0] = float("nan")
        return batch

    learner = StackedLearner([mlp(0, 8), mlp(1, 8)], [recipe(0.01)] * 2, SIGNATURE)
    done = train_together(learner, Loader(poisoned, 100, 16, 0))
    assert [d.reason for d in done] == ["10 steps in a row were not finite"] * 2
    assert done[0].position.skips == 10


def test_loaders_must_be_alike():
    learner = StackedLearner([mlp(0, 8), mlp(1, 8)], [recipe(0.01)] * 2, SIGNATURE)
    for loaders in ([loader(0), loader(1), loader(2)], [loader(0), loader(1, batch=10)]):
        with pytest.raises(UsageError, match="loaders for 2 candidates"):
            train_together(learner, loaders)
