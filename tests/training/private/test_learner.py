"""A2, A3: one step is the mechanism that the accountants count, whatever the batch holds."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from speedwell.core.errors import DivergenceError, ResumeError
from speedwell.training.batch import Batch
from speedwell.training.learner import Learner
from speedwell.training.losses.classification import ClassLoss
from speedwell.training.private import PoissonLoader, Secret, epsilon_of
from speedwell.training.recipe import Distil, Loss, Optimizer, Privacy, Recipe

from .conftest import SIGNATURE, batch_of, begun, flat, maker, numbers, plain, private_learner, private_recipe

EMPTY = Batch({}, torch.zeros(0, dtype=torch.int64), np.zeros(0, np.int64))


def moved(learner, batch: Batch, number: int = 0) -> torch.Tensor:
    """How far one step moves the weights, at a learning rate of 1: the noisy gradient, back from there."""
    kept = [p.detach().clone() for p in learner.parameters]
    learner.step(batch, len(batch), number, 1.0)
    found = flat(kept) - flat(learner.parameters)
    with torch.no_grad():
        for parameter, value in zip(learner.parameters, kept, strict=True):
            parameter.copy_(value)
    return found


def with_clip(most: float, noise: float = 1.0, **changes) -> Recipe:
    return private_recipe(privacy=Privacy(noise=noise, max_grad_norm=most, secure=False), **changes)


def wide() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 400), nn.Tanh(), nn.Linear(400, 10))


@pytest.mark.parametrize(("noise", "most"), [(1.0, 1.0), (2.5, 0.3)])
def test_the_noise_is_normal_with_the_deviation_it_should_have(noise, most):
    learner = begun(private_learner(with_clip(most, noise), wide()))
    found = moved(learner, EMPTY).numpy()
    wanted = noise * most / learner.recipe.batch
    assert len(found) > 30_000
    assert abs(found.var() / wanted**2 - 1) < 5 * np.sqrt(2 / len(found))
    assert abs(found.mean()) < 5 * wanted / np.sqrt(len(found))
    assert stats.kstest(found / wanted, "norm").pvalue > 1e-4


def test_each_step_has_noise_of_its_own_and_the_same_step_the_same():
    learner = begun(private_learner(network=wide()))
    first, second = moved(learner, EMPTY, 0), moved(learner, EMPTY, 1)
    assert abs(np.corrcoef(first, second)[0, 1]) < 5 / np.sqrt(len(first))
    assert torch.equal(moved(learner, EMPTY, 0), first)
    other = begun(private_learner(network=wide(), secret=Secret.of_seed(1)))
    assert abs(np.corrcoef(moved(other, EMPTY, 0), first)[0, 1]) < 5 / np.sqrt(len(first))


def test_the_sum_is_divided_by_the_average_size_of_a_batch_not_its_own():
    learner = begun(private_learner(with_clip(0.5)))
    noise = moved(learner, EMPTY)
    one = moved(learner, batch_of(1)) - noise
    assert float(one.norm()) == pytest.approx(0.5 / 16, rel=1e-3)
    double = Batch(
        {"image": batch_of(1).inputs["image"].repeat(2, 1, 1, 1)}, batch_of(1).targets.repeat(2), np.arange(2)
    )
    assert (moved(learner, double) - noise - 2 * one).norm() < 1e-6


@pytest.mark.parametrize("kind", ["any", "nan", "huge", "label"])
def test_one_sample_more_or_less_moves_the_sum_by_no_more_than_the_bound(kind):
    learner = begun(private_learner(with_clip(0.7)))
    batch = batch_of(12)
    pixels, labels = batch.inputs["image"].clone(), batch.targets.clone()
    if kind == "nan":
        pixels[5, 0, 0, 0] = float("nan")
    elif kind == "huge":
        pixels[5] *= 1e6
    elif kind == "label":
        labels[5] = -1
    others = torch.arange(12) != 5
    whole = moved(learner, Batch({"image": pixels}, labels, np.arange(12)))
    without = moved(learner, Batch({"image": pixels[others]}, labels[others], np.arange(11)))
    apart = float((whole - without).norm()) * learner.recipe.batch
    # rounding of the weights, whose differences these are
    assert apart <= 0.7 + 1e-4
    assert apart > (0.69 if kind in ("any", "huge") else -1)


@pytest.mark.parametrize("place", ["input", "gradient"])
def test_a_sample_that_is_not_finite_is_counted_and_epsilon_stays_right(place):
    network = plain() if place == "input" else nn.Sequential(Inverse(), *plain())
    learner = begun(private_learner(network=network))
    batch = batch_of(6)
    broken = batch.inputs["image"].clone()
    broken[2] = float("nan") if place == "input" else 0.0
    done = learner.step(Batch({"image": broken}, batch.targets, batch.samples), 6, 0, 0.1)
    assert done.skip is None
    assert np.isfinite(done.norm)
    assert (learner.drawn, learner.left_out) == (6, 1)
    assert torch.isfinite(flat(learner.parameters)).all()
    for number in range(1, 5):
        learner.step(EMPTY, 0, number, 0.1)
    spent = learner.spent(100)
    assert spent.left_out == 1
    assert spent.epsilon == epsilon_of(1.0, 0.1, 100, 160**-1.1) == max(spent.rdp, spent.pld)


class Inverse(nn.Module):
    """Divides by the brightness: a black picture has none."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image / image.abs().mean(dim=(1, 2, 3), keepdim=True)


def test_a_batch_of_which_nothing_is_sound_is_an_empty_one():
    learner = begun(private_learner())
    bad = Batch({"image": torch.full((3, 1, 8, 8), float("nan"))}, torch.zeros(3, dtype=torch.int64), np.arange(3))
    assert torch.equal(moved(learner, bad), moved(learner, EMPTY))
    assert learner.left_out == 3


def test_the_loss_is_told_to_nobody():
    learner = begun(private_learner())
    assert learner.step(batch_of(8), 8, 0, 0.1).loss is None


@pytest.mark.parametrize("parts", [2, 5, 16])
def test_parts_of_any_size_give_one_update_with_one_noise(parts):
    whole, apart = (begun(private_learner(private_recipe(accumulation=n))) for n in (1, parts))
    batch = batch_of(23)  # a Poisson batch may be larger than the average
    assert (moved(whole, batch) - moved(apart, batch)).norm() < 1e-6


def test_memory_bounds_the_parts():
    learner = begun(private_learner(private_recipe(batch=160), wide()))
    size = sum(p.numel() for p in learner.parameters) * 4
    assert learner._at_once() * size <= 1 << 25


def test_a_part_that_does_not_fit_is_halved_and_nothing_is_counted_twice(monkeypatch):
    told = []
    whole, apart = begun(private_learner()), begun(private_learner(halved=told.append))
    batch = batch_of(16)
    wanted = moved(whole, batch)
    plain_loss = apart._loss

    def short(part: Batch) -> torch.Tensor:
        if len(part) > 4:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return plain_loss(part)

    monkeypatch.setattr(apart, "_loss", short)
    assert (moved(apart, batch) - wanted).norm() < 1e-6
    assert len(told) == 2
    assert apart.drawn == 16


def test_masks_of_dropout_come_from_the_key_not_from_the_seed():
    def step(seed: int, key: int) -> torch.Tensor:
        torch.manual_seed(0)
        network = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 10))
        recipe = with_clip(1e6, 0.2, seed=seed)
        learner = begun(private_learner(recipe, network, secret=Secret.of_seed(key)))
        learner.noise = 1e-12
        return moved(learner, batch_of(8))

    assert torch.equal(step(0, 0), step(1, 0))
    assert not torch.allclose(step(0, 0), step(0, 1))


def test_without_noise_and_clipping_it_is_ordinary_training():
    optimizer = Optimizer("adamw", lr=0.01)
    recipe = with_clip(1e6, 0.2, optimizer=optimizer, batch=8, ema=0.9, clip=1.0)
    private = begun(private_learner(recipe))
    private.noise = 1e-12
    ordinary = Learner(plain(), ClassLoss(Loss()), dataclasses.replace(recipe, privacy=None), SIGNATURE)
    for number in range(5):
        batch = batch_of(8, number)
        a, b = private.step(batch, 8, number, 0.01), ordinary.step(batch, 8, number, 0.01)
        assert a.norm == pytest.approx(b.norm, rel=1e-4)
    assert (flat(private.parameters) - flat(ordinary.parameters)).norm() < 1e-4
    assert (flat(private.average.values.values()) - flat(ordinary.average.values.values())).norm() < 1e-4


def test_a_teacher_is_learnt_from_sample_by_sample():
    distil = Distil(weight=0.7, temperature=3.0, attention=2.0, layers=("1",))
    recipe = with_clip(1e6, 0.2, loss=Loss(distil=distil), batch=6)

    def network(seed: int) -> nn.Module:
        torch.manual_seed(seed)
        return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))

    private = begun(private_learner(recipe, network(0), teacher=network(1), loss=ClassLoss(recipe.loss)))
    private.noise = 1e-12
    found = moved(private, batch_of(6))
    plain_recipe = dataclasses.replace(recipe, privacy=None, channels_last=False)
    ordinary = Learner(network(0), ClassLoss(recipe.loss), plain_recipe, SIGNATURE, network(1))
    kept = flat(ordinary.parameters)
    ordinary.step(batch_of(6), 6, 0, 1.0)
    assert (found - (kept - flat(ordinary.parameters))).norm() < 1e-4


def test_frozen_weights_get_no_noise():
    learner = begun(private_learner(private_recipe(freeze=("1.",))))
    kept = learner.network[1].weight.clone()
    learner.step(batch_of(4), 4, 0, 1.0)
    assert torch.equal(learner.network[1].weight, kept)
    assert not torch.equal(learner.network[3].weight, plain()[3].weight)


def test_weights_that_leave_all_bounds_end_it():
    learner = begun(private_learner())
    with pytest.raises(DivergenceError, match="weights grew"):
        learner.step(EMPTY, 0, 0, 1e20)


def test_the_target_is_kept_at_the_end_of_the_planned_steps():
    recipe = private_recipe(privacy=Privacy(epsilon=3.0, secure=False))
    learner = private_learner(recipe)
    loader = PoissonLoader(maker(*numbers()), 160, 16, learner.secret)
    learner.begin(loader, 40)
    spent = learner.spent(40)
    assert 2.9 < spent.epsilon <= 3.0
    assert spent.epsilon == epsilon_of(learner.noise, 0.1, 40, 160**-1.1)
    assert (spent.samples, spent.rate, spent.steps, spent.secure) == (160, 0.1, 40, False)


def test_a_checkpoint_of_another_key_is_refused():
    learner, other = private_learner(), private_learner(secret=Secret.of_seed(1))
    with pytest.raises(ResumeError, match="key of this private training"):
        other.load_facts(learner.facts())
    learner.load_facts({**learner.facts(), "noise": 3.0, "drawn": 9, "left_out": 2})
    assert (learner.noise, learner.drawn, learner.left_out) == (3.0, 9, 2)
    over = private_learner(secret=Secret(None))
    over.load_facts(learner.facts())
    assert over.noise == 3.0
