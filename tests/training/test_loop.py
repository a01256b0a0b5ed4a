from __future__ import annotations

import contextlib
import json
import os
import signal
import threading

import numpy as np
import pytest
import torch

from speedwell.core.errors import DivergenceError, OutputError, ResumeError
from speedwell.training.batch import batch_maker
from speedwell.training.checkpoint import newest_checkpoint, read_checkpoint, write_checkpoint
from speedwell.training.evaluate import evaluated
from speedwell.training.history import read_history
from speedwell.training.loader import Loader, ahead
from speedwell.training.loop import train
from speedwell.training.recipe import Augment, Optimizer, Recipe, Stop
from speedwell.training.state import Position
from speedwell.training.stop import Plan, planned, stop_reason

from .conftest import SIGNATURE, everything, learner_of, same


class Words:
    def __init__(self) -> None:
        self.plans, self.rows, self.warnings = [], [], []

    def started(self, plan, _) -> None:
        self.plans.append(plan)

    def row(self, row) -> None:
        self.rows.append(row)

    def note(self, text) -> None: ...

    def warning(self, text) -> None:
        self.warnings.append(text)


def begin(split, recipe, **changes):
    learner = learner_of(recipe, **changes)
    return learner, Loader(batch_maker(split, recipe.augment), len(split), recipe.batch, recipe.seed)


def accuracy_on(split):
    make = batch_maker(split, Augment())

    def validate(network) -> float:
        said, _ = evaluated(network, SIGNATURE, make, split, lambda o, t, _: o["output"].argmax(1) == t.numpy(), 16)
        return float(np.concatenate(said).mean())

    return validate


def test_it_learns_and_says_what_it_did(tmp_path, split):
    recipe = Recipe(optimizer=Optimizer("adamw", lr=0.02), stop=Stop(epochs=12), batch=8, ema=0.5)
    learner, loader = begin(split, recipe)
    words = Words()
    done = train(learner, loader, tmp_path / "run", accuracy_on(split), words)
    assert done.metric > 0.9
    assert done.position.step == 12 * 5
    assert "12 epochs" in done.reason
    assert done.weights.is_file()
    assert min(done.forward, done.backward, done.update) > 0
    # 8x8 pixels, a 3x3 convolution from 3 to 8 channels, a head of 8x4: twice the multiply-adds
    assert done.operations.forward == 2 * (64 * 27 * 8 + 32)
    assert done.operations.backward > done.operations.forward
    assert done.operations.update == 15 * sum(p.numel() for p in learner.parameters)
    rows = read_history(tmp_path / "run")
    assert [r["step"] for r in rows if "metric" in r] == [5 * k for k in range(1, 13)]
    assert max(r["metric"] for r in rows if "metric" in r) == done.metric
    assert list((tmp_path / "run" / "tensorboard").iterdir())
    assert words.plans[0] == Plan(60, 5)


def test_tensorboard_reads_what_is_logged(tmp_path, split):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    learner, loader = begin(split, Recipe(stop=Stop(epochs=2), batch=8))
    train(learner, loader, tmp_path / "run", accuracy_on(split))
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    assert {"train/loss", "train/learning_rate", "validation/metric"} <= set(events.Tags()["scalars"])
    assert [e.step for e in events.Scalars("validation/metric")] == [5, 10]


@pytest.mark.parametrize(
    ("stop", "words"),
    [
        (Stop(epochs=100, steps=7), "all 7 steps"),
        (Stop(epochs=100, target=0.2), "target"),
        (Stop(epochs=100, patience=2), "no better validation for 2 times"),
        (Stop(epochs=0.5), "all 3 steps"),
    ],
)
def test_it_stops_when_it_is_told_to(tmp_path, split, stop, words):
    learner, loader = begin(
        split, Recipe(optimizer=Optimizer("sgd", lr=0.0 if stop.patience else 0.05), stop=stop, batch=8)
    )
    assert words in train(learner, loader, tmp_path / "run", accuracy_on(split)).reason


def test_a_time_limit_shortens_the_schedule_so_that_it_ends_in_time(tmp_path, split):
    recipe = Recipe(stop=Stop(epochs=1e5, minutes=3 / 60), batch=8, validate_every=0)
    learner, loader = begin(split, recipe)
    words = Words()
    done = train(learner, loader, tmp_path / "run", None, words)
    assert len(words.plans) > 5
    assert words.plans[-1].total < words.plans[0].total
    assert done.position.seconds < 6
    assert words.rows[-1].rate < 0.2 * recipe.optimizer.lr  # the schedule was carried to its end, not cut


def test_a_loss_that_runs_away_is_a_typed_error_and_keeps_the_last_good_checkpoint(tmp_path, split):
    recipe = Recipe(optimizer=Optimizer("sgd", lr=90.0), stop=Stop(epochs=50), batch=8, checkpoint_seconds=0)
    learner, loader = begin(split, recipe)
    with pytest.raises(DivergenceError, match=r"optimizer\.lr"):
        train(learner, loader, tmp_path / "run")
    tensors, _ = newest_checkpoint(tmp_path / "run" / "checkpoints")
    assert all(torch.isfinite(t).all() for t in tensors.values())


def test_ctrl_c_waits_for_the_step_and_leaves_a_checkpoint(tmp_path, split):
    recipe = Recipe(stop=Stop(epochs=1e5), batch=8, checkpoint_seconds=1e6)
    learner, loader = begin(split, recipe)
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        train(learner, loader, tmp_path / "run")
    tensors, facts = newest_checkpoint(tmp_path / "run" / "checkpoints")
    assert facts["position"]["step"] > 0
    assert same({n: t for n, t in everything(learner).items()}, tensors)


def test_a_skipped_step_is_told_with_its_samples_and_counted(tmp_path, split):
    recipe = Recipe(stop=Stop(epochs=1), batch=8)
    learner, loader = begin(split, recipe)
    plain, spoilt = learner.loss, []

    def loss(outputs, targets):
        spoilt.append(1)
        return plain(outputs, targets) * (float("nan") if len(spoilt) == 4 else 1)

    learner.loss = loss
    words = Words()
    done = train(learner, loader, tmp_path / "run", None, words, split.origins)
    assert done.position.skips == 1
    assert len(done.skipped) == 1
    assert "square" in done.skipped[0]
    assert "loss is not finite" in words.warnings[0]


def test_accumulation_gives_the_same_gradient(split):
    whole, parts = learner_of(Recipe(batch=12)), learner_of(Recipe(batch=12, accumulation=4))
    for learner in (whole, parts):
        learner.network.dropout.p = 0.0
        learner.network.norm.momentum = 0.0
        learner.network.norm.eval()
        learner.network.norm.train = lambda mode=True, norm=learner.network.norm: norm  # noqa: ARG005 - statistics of parts would differ
    batch = batch_maker(split, Augment())(np.arange(12), None)
    a, b = whole.step(batch, 12, 0, 0.01), parts.step(batch, 12, 0, 0.01)
    assert a.loss == pytest.approx(b.loss, rel=1e-5)
    assert a.norm == pytest.approx(b.norm, rel=1e-4)


def test_frozen_parameters_do_not_move():
    from speedwell.core.errors import UsageError

    from .conftest import random_batch

    learner = learner_of(Recipe(freeze=("conv", "norm")))
    before = everything(learner)
    learner.step(random_batch(0), 6, 0, 0.1)
    after = everything(learner)
    assert torch.equal(before["network.conv.weight"], after["network.conv.weight"])
    assert not torch.equal(before["network.head.weight"], after["network.head.weight"])
    with pytest.raises(UsageError, match="'body'"):
        learner_of(Recipe(freeze=("body",)))


def test_a_checkpoint_is_whole_or_absent_whatever_write_fails(tmp_path, monkeypatch):
    tensors = {"a": torch.arange(10.0), "tied": torch.zeros(3)}
    tensors["twin"] = tensors["tied"]
    write_checkpoint(tmp_path / "c", 1, tensors, {"step": 1})
    for name in ("fsync", "replace", "open"):
        for fails_at in range(1, 6):
            count = [0]
            real = getattr(os, name)

            def failing(*a, count=count, fails_at=fails_at, real=real, **k):
                count[0] += 1
                if count[0] == fails_at:
                    raise OSError(28, "No space left on device")
                return real(*a, **k)

            monkeypatch.setattr(os, name, failing)
            with contextlib.suppress(OutputError):
                write_checkpoint(tmp_path / "c", 2, {"a": torch.zeros(10)}, {"step": 2})
            monkeypatch.setattr(os, name, real)
            found, facts = newest_checkpoint(tmp_path / "c")
            assert facts["step"] in (1, 2)
            assert torch.equal(found["a"], torch.zeros(10) if facts["step"] == 2 else torch.arange(10.0))
            assert not [p for p in (tmp_path / "c").iterdir() if p.name.startswith(".")]


def test_every_flipped_bit_of_a_checkpoint_is_noticed(tmp_path):
    path = write_checkpoint(tmp_path / "c", 3, {"a": torch.arange(20.0)}, {"step": 3})
    rng = np.random.default_rng(0)
    data = (path / "state.safetensors").read_bytes()
    for at in rng.integers(0, len(data), 60).tolist():
        broken = bytearray(data)
        broken[at] ^= 1 << int(rng.integers(8))
        (path / "state.safetensors").write_bytes(broken)
        with pytest.raises(ResumeError):
            read_checkpoint(path)
    (path / "state.safetensors").write_bytes(data)
    assert read_checkpoint(path)[1] == {"step": 3}
    for text in ("", "[]", "{}", json.dumps({"schema": 99})):
        (path / "state.json").write_text(text)
        with pytest.raises(ResumeError, match=r"cannot be read|version"):
            read_checkpoint(path)


def test_only_the_newest_checkpoints_are_kept(tmp_path):
    for step in range(1, 6):
        write_checkpoint(tmp_path, step, {"a": torch.zeros(1)}, {})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["000000004", "000000005"]
    assert newest_checkpoint(tmp_path / "nothing") is None


def test_a_checkpoint_of_another_network_is_refused(tmp_path, split):
    recipe = Recipe(stop=Stop(epochs=1), batch=8)
    train(*begin(split, recipe), tmp_path / "run")
    from .conftest import Small

    other = learner_of(recipe, network=Small(classes=7))
    with pytest.raises(ResumeError, match="does not fit"):
        train(other, begin(split, recipe)[1], tmp_path / "run")


def test_what_making_a_batch_raises_is_raised_where_it_is_used():
    def made():
        yield 1
        raise ValueError("a torn file")

    items = ahead(made, 2)
    assert next(items) == 1
    with pytest.raises(ValueError, match="torn"):
        next(items)


def test_leaving_an_epoch_early_ends_its_thread(split):
    loader = Loader(batch_maker(split, Augment()), len(split), 4, 0)
    before = threading.active_count()
    for _ in range(5):
        epoch = loader.epoch(0)
        next(epoch)
        epoch.close()
    assert threading.active_count() == before


def test_an_epoch_begun_in_its_middle_goes_on_as_the_whole_one(split):
    loader = Loader(batch_maker(split, Augment(flip=True, crop=2)), len(split), 6, 3)
    whole = [b for b, _ in loader.epoch(2)]
    rest = [b for b, _ in loader.epoch(2, 3)]
    assert len(rest) == len(whole) - 3
    for a, b in zip(whole[3:], rest, strict=True):
        assert torch.equal(a.inputs["image"], b.inputs["image"])
        assert a.samples.tolist() == b.samples.tolist()


def test_a_plan_never_exceeds_what_was_asked():
    assert planned(Stop(epochs=2.5), 10) == Plan(25, 10)
    assert planned(Stop(epochs=2.5, steps=4), 10) == Plan(4, 10)
    assert planned(Stop(epochs=2, minutes=1), 10, 0.1, 30.0, 5).total == 20
    assert planned(Stop(epochs=100, minutes=1), 10, 0.1, 30.0, 5).total == 5 + 290
    assert planned(Stop(epochs=100, minutes=1), 10, 100.0, 59.0, 5).total == 5
    assert stop_reason(Stop(), Plan(5, 5), Position(step=4)) == ""
