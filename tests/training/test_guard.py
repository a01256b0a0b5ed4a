"""A1: whatever is not finite leaves no trace, and is told."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from speedwell.core.errors import DivergenceError
from speedwell.training.batch import Batch
from speedwell.training.guard import MOST_SKIPS, Guard, Skip, gradient_norm, implausible_samples, plausible
from speedwell.training.losses.classification import ClassLoss
from speedwell.training.recipe import Loss, Optimizer, Recipe

from .conftest import everything, learner_of, random_batch, same

BAD = (float("nan"), float("inf"), float("-inf"), 1e30)
PLACES = ("input", "label", "loss", "gradient")
RECIPES = (
    Recipe(optimizer=Optimizer("sgd", lr=0.1), ema=0.9, batch=6),
    Recipe(optimizer=Optimizer("adamw", lr=0.01), ema=0.9, clip=1.0, batch=6, accumulation=2),
    Recipe(optimizer=Optimizer("muon", lr=0.01), batch=6),
)


class Faulty(ClassLoss):
    """The loss with ``fault`` added where it is armed."""

    def __init__(self) -> None:
        super().__init__(Loss())
        self.fault: float | None = None

    def __call__(self, outputs, targets):
        loss = super().__call__(outputs, targets)
        return loss if self.fault is None else loss + self.fault


def one_fault(number: int) -> None:
    """Three good steps with a fault before the last: bit for bit two good steps with that number left out."""
    rng = np.random.default_rng(number)
    recipe = RECIPES[number % len(RECIPES)]
    place, value = PLACES[number // 3 % 4], BAD[int(rng.integers(4))]
    hurt_loss = Faulty()
    hurt, whole = learner_of(recipe, number, loss=hurt_loss), learner_of(recipe, number)
    batches = [random_batch(10 * number + k) for k in range(3)]
    for learner in (hurt, whole):
        assert learner.step(batches[0], 6, 0, 0.01).skip is None
    bad = batches[1]
    handles = []
    if place == "input":
        image = bad.inputs["image"].clone()
        image.view(-1)[int(rng.integers(image.numel()))] = value
        bad = dataclasses.replace(bad, inputs={"image": image})
    elif place == "label":
        labels = bad.targets.clone()
        labels[int(rng.integers(len(labels)))] = -int(rng.integers(1, 1 << 40))
        bad = dataclasses.replace(bad, targets=labels)
    elif place == "loss":
        hurt_loss.fault = value
    else:
        chosen = hurt.parameters[int(rng.integers(len(hurt.parameters)))]

        def spoil(gradient: torch.Tensor) -> torch.Tensor:
            gradient = gradient.clone()
            gradient[(0,) * gradient.ndim] = value
            return gradient

        handles.append(chosen.register_hook(spoil))
    done = hurt.step(bad, 6, 1, 0.01)
    hurt_loss.fault = None
    for handle in handles:
        handle.remove()
    assert done.skip is not None, (number, place, value)
    assert done.skip.where == place or (place == "loss" and done.skip.where == "gradient")
    assert set(done.skip.samples) <= set(bad.samples.tolist())
    if place == "input":
        assert len(done.skip.samples) == 1
    assert same(everything(hurt), everything(whole)), (number, place, value)
    for learner in (hurt, whole):
        assert learner.step(batches[2], 6, 2, 0.01).skip is None
    assert same(everything(hurt), everything(whole)), (number, place, value)


@pytest.mark.parametrize("number", range(48))
def test_a_fault_leaves_the_learner_as_if_its_batch_had_been_left_out(number):
    one_fault(number)


@pytest.mark.slow
def test_a_thousand_faults_leave_no_trace():
    for number in range(1000):
        one_fault(number)


def test_a_good_step_is_not_touched_by_the_guard():
    learner = learner_of(RECIPES[0])
    before = everything(learner)
    done = learner.step(random_batch(1), 6, 0, 0.1)
    assert done.skip is None
    assert np.isfinite([done.loss, done.norm]).all()
    assert not same(before, everything(learner))


def test_only_the_offending_samples_are_named():
    image = torch.zeros(5, 3, 2, 2)
    image[1, 0, 0, 0], image[4, 2, 1, 1] = float("nan"), 1e20
    assert implausible_samples({"image": image, "mask": torch.ones(5, 3, dtype=torch.int64)}).tolist() == [
        False, True, False, False, True,
    ]  # fmt: skip


@pytest.mark.parametrize("value", BAD)
def test_one_bad_number_makes_a_tensor_and_its_gradient_norm_implausible(value):
    tensor = torch.zeros(1000)
    assert plausible(tensor)
    tensor[517] = value
    assert not plausible(tensor)
    parameter = torch.nn.Parameter(torch.zeros(1000))
    parameter.grad = tensor
    assert not bool(gradient_norm([parameter]) <= 1e15)


def test_large_but_possible_values_pass():
    assert plausible(torch.tensor([1e12, -1e12]))


def test_the_tenth_skip_in_a_row_ends_the_training_with_the_samples_named():
    guard = Guard([f"photo {i}" for i in range(9)])
    for step in range(MOST_SKIPS - 1):
        guard.skipped(Skip(step, "loss", (1, 2)))
    guard.passed()
    for step in range(MOST_SKIPS - 1):
        guard.skipped(Skip(step, "loss", (1, 2)))
    with pytest.raises(DivergenceError, match=r"10 steps in a row[\s\S]*photo 3[\s\S]*optimizer.lr"):
        guard.skipped(Skip(40, "loss", (3,)))


def test_an_empty_batch_of_integers_has_no_implausible_sample():
    batch = Batch({"ids": torch.ones(3, 4, dtype=torch.int64)}, torch.zeros(3, dtype=torch.int64), np.arange(3))
    assert not implausible_samples(batch.inputs).any()
