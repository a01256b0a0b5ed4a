"""The number format that is left to a measurement: what the measurement leaves behind, and that its answer is kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from speedwell.training import Learner, Loader, batch_maker, train
from speedwell.training import precision as measured
from speedwell.training.checkpoint import newest_checkpoint
from speedwell.training.losses.classification import ClassLoss
from speedwell.training.precision import choose_precision
from speedwell.training.recipe import Loss, Optimizer, Recipe, Stop

from .conftest import SIGNATURE, everything, learner_of, random_batch, small


def loader_of(split, batch: int = 8) -> Loader:
    return Loader(batch_maker(split, Recipe().augment), len(split), batch, 0)


def in_turn(monkeypatch, float32: float, bfloat16: float) -> None:
    """Every measured turn takes so long, whatever it takes."""
    real = measured._seconds

    def seconds(learner, batch, whole):
        real(learner, batch, whole)
        return {"float32": float32, "bfloat16": bfloat16}[learner.precision]

    monkeypatch.setattr(measured, "_seconds", seconds)


def test_measuring_changes_nothing(split):
    learner = learner_of(Recipe(precision="auto", batch=8, ema=0.9))
    learner.step(random_batch(1), 6, 0, 0.01)
    before = everything(learner)
    told = choose_precision(learner, loader_of(split))
    after = everything(learner)
    assert after.keys() == before.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(p.grad is None for p in learner.parameters)
    assert learner.precision in ("float32", "bfloat16")
    assert told.startswith(learner.precision)


@pytest.mark.parametrize(("bfloat16", "taken"), [(0.5, "bfloat16"), (0.9, "float32"), (3.0, "float32")])
def test_bfloat16_is_taken_where_it_is_clearly_faster(split, monkeypatch, bfloat16, taken):
    in_turn(monkeypatch, 1.0, bfloat16)
    learner = learner_of(Recipe(precision="auto", batch=8))
    told = choose_precision(learner, loader_of(split))
    assert learner.precision == taken
    assert f"{1 / bfloat16:.2f} times" in told


def test_a_batch_that_the_guard_refuses_is_not_measured(split):
    def broken(index, rng):
        batch = batch_maker(split, Recipe().augment)(index, rng)
        batch.inputs["image"][0, 0, 0, 0] = float("nan")
        return batch

    learner = learner_of(Recipe(precision="auto", batch=8))
    before = everything(learner)
    told = choose_precision(learner, Loader(broken, len(split), 8, 0))
    assert told == "float32: no batch is fit to be measured"
    assert all(torch.equal(before[name], value) for name, value in everything(learner).items())


class StoppedError(Exception):
    pass


def stopped(*_):
    raise StoppedError


def test_a_resumed_training_keeps_what_was_chosen(split, tmp_path, monkeypatch):
    recipe = Recipe(precision="auto", batch=8, stop=Stop(steps=4), checkpoint_seconds=3600)

    def fresh() -> Learner:
        return Learner(small(), ClassLoss(Loss()), recipe, SIGNATURE)

    in_turn(monkeypatch, 1.0, 0.5)
    killed = fresh()
    monkeypatch.setattr(killed, "step", stopped)
    with pytest.raises(StoppedError):  # before the first checkpoint was due
        train(killed, loader_of(split), tmp_path / "run")
    found = newest_checkpoint(tmp_path / "run" / "checkpoints")
    assert found is not None
    assert found[1]["precision"] == "bfloat16"
    in_turn(monkeypatch, 0.5, 1.0)  # by now the other would win
    again = train(fresh(), loader_of(split), tmp_path / "run")
    assert again.precision == "bfloat16"
    assert again.position.step == 4


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_either_learns_and_weights_stay_float32(split, tmp_path, precision):
    recipe = Recipe(optimizer=Optimizer("adamw", lr=0.02), precision=precision, batch=8, stop=Stop(epochs=12))
    learner = Learner(small(), ClassLoss(Loss()), recipe, SIGNATURE)
    done = train(learner, loader_of(split), tmp_path / "run")
    assert done.precision == precision
    assert {p.dtype for p in learner.network.parameters()} == {torch.float32}
    assert done.position.recent_loss < 0.6 * np.log(4)


def test_layers_compute_in_bfloat16_and_the_loss_in_float32():
    seen: dict[str, torch.dtype] = {}
    network = small()
    network.conv.register_forward_hook(lambda _, __, out: seen.update(layer=out.dtype))

    def loss(outputs, targets):
        scores = next(iter(outputs.values()))
        seen.update(loss=scores.dtype, autocast=torch.is_autocast_enabled("cpu"))
        return torch.nn.functional.cross_entropy(scores, targets)

    learner = learner_of(Recipe(precision="bfloat16"), network=network, loss=loss)
    assert learner.step(random_batch(0), 6, 0, 0.01).skip is None
    assert seen == {"layer": torch.bfloat16, "loss": torch.float32, "autocast": False}
