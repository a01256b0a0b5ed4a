from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from speedwell.core.errors import PrivacyError, ResumeError
from speedwell.training.history import read_history
from speedwell.training.private import epsilon_of
from speedwell.training.watch import NullWatch
from speedwell.workflow.train import read_result, train
from speedwell.workflow.train_private import private_index, private_settings
from speedwell.workflow.train_settings import TrainSettings, recipe_for

RECIPE = {
    "batch": 64, "optimizer": {"lr": 0.5}, "stop": {"epochs": 3}, "augment": {"crop": 0},
    "privacy": {"epsilon": 8.0, "delta": 1e-3},
}  # fmt: skip
ARGUMENTS = {"depth": 8, "width": 4, "norm": "group"}


def squares(path: Path, n: int, seed: int = 0) -> str:
    """Noise with one of three casts."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    pixels = rng.integers(0, 120, (n, 8, 8, 3)).astype(np.uint8)
    pixels[np.arange(n), :, :, labels] += 100
    np.savez(path, images=pixels, labels=labels, classes=np.array(["red", "green", "blue"]))
    return str(path)


def settings(tmp_path: Path, **changes) -> TrainSettings:
    data = squares(tmp_path / "data.npz", 300)
    return TrainSettings(**{"network": "residual", "data": data, "arguments": ARGUMENTS, "recipe": RECIPE, **changes})


def test_a_private_training_tells_what_it_spent_and_forgets_its_key(tmp_path):
    out = tmp_path / "run"
    result = train(settings(tmp_path, test=squares(tmp_path / "test.npz", 90, 1)), out)
    spent = result.privacy
    assert 7.9 < result.epsilon <= 8.0
    assert result.epsilon == spent.epsilon == max(spent.rdp, spent.pld)
    # all of 300 but the one that the split held back
    assert spent.epsilon == epsilon_of(spent.noise, 64 / 299, 15, 1e-3)
    assert (spent.delta, spent.samples, spent.rate, spent.steps) == (1e-3, 299, 64 / 299, 15)
    assert result.test > 0.5  # three classes; the noise is another one each time
    assert result.validation is None
    assert json.loads((out / "result.json").read_text())["privacy"]["pld"] == spent.pld
    assert read_result(out) == result
    assert (out / "private.key").read_bytes() == b"spent\n"
    assert not any("loss" in row for row in read_history(out))
    transform = json.loads((out / "start" / "transform" / "transform.json").read_text())
    assert transform["mean"] == transform["std"] == [0.5] * 3
    told = " ".join(spent.assumed)
    assert "not one person" in told
    assert "test samples are not protected" in told
    assert "validation" not in told
    assert "seed" not in told
    assert train({}, out, resume=True).privacy == spent


def test_the_same_seed_gives_other_noise_unless_it_is_asked_for(tmp_path):
    def weights(name: str, secure: bool) -> bytes:
        recipe = {**RECIPE, "stop": {"epochs": 1}, "privacy": {"noise": 1.0, "delta": 1e-3, "secure": secure}}
        result = train(settings(tmp_path, recipe=recipe), tmp_path / name)
        assert ("follow from the seed" in " ".join(result.privacy.assumed)) != secure
        return (result.model / "weights.safetensors").read_bytes()

    assert weights("a", True) != weights("b", True)
    assert weights("c", False) == weights("d", False)
    assert not (tmp_path / "c" / "private.key").exists()


def test_a_key_that_was_lost_in_the_middle_is_told(tmp_path):
    out = tmp_path / "run"

    class Stopped(NullWatch):
        metric = ""

        def row(self, row):
            raise KeyboardInterrupt(row.step)

    recipe = {**RECIPE, "checkpoint_seconds": 0.0, "batch": 8}
    with pytest.raises(KeyboardInterrupt):
        train(settings(tmp_path, recipe=recipe), out, watch=Stopped())
    assert (out / "private.key").stat().st_mode & 0o777 == 0o600
    (out / "private.key").unlink()
    with pytest.raises(ResumeError, match="key of this private training"):
        train({}, out, resume=True)


def test_named_validation_is_used_and_said_to_be_unprotected(tmp_path):
    validation = squares(tmp_path / "validation.npz", 60, 2)
    recipe = {**RECIPE, "stop": {"epochs": 2, "target": 0.999}}
    result = train(settings(tmp_path, validation=validation, recipe=recipe), tmp_path / "run")
    assert result.validation is not None
    assert any(text.startswith("validation samples are not protected") for text in result.privacy.assumed)
    # stopping sooner is a result itself: what was planned is what was spent
    assert result.privacy.steps == 10


def test_a_teacher_is_learnt_from_and_named(tmp_path):
    plain = {"batch": 32, "stop": {"epochs": 1}, "optimizer": {"lr": 0.05}}
    teacher = train(settings(tmp_path, recipe=plain, arguments={"depth": 8, "width": 4}), tmp_path / "teacher")
    recipe = {**RECIPE, "stop": {"epochs": 1}, "loss": {"distil": {"weight": 0.5}}}
    result = train(settings(tmp_path, teacher=str(teacher.folder), recipe=recipe), tmp_path / "student")
    assert result.epsilon <= 8.0
    assert any("the teacher" in text and "not covered" in text for text in result.privacy.assumed)


def test_batch_norm_is_refused_before_a_step(tmp_path):
    with pytest.raises(PrivacyError, match="batch norm"):
        train(settings(tmp_path, arguments={"depth": 8, "width": 4}), tmp_path / "run")
    assert not (tmp_path / "run" / "checkpoints").exists()


def recipe(**tables):
    return recipe_for("image-classification", False, {"privacy": {"noise": 1.0}, **tables})


def test_a_vocabulary_of_private_texts_is_refused():
    given = TrainSettings(network="encoder", data="texts.csv")
    with pytest.raises(PrivacyError, match="word by word"):
        private_settings(given, recipe())
    named = TrainSettings(network="encoder", data="texts.csv", options={"tokenizer": "tokenizer.json"})
    assert private_settings(named, recipe()) == named


@pytest.mark.parametrize("stop", [{"target": 0.9}, {"patience": 3}])
def test_stopping_by_private_samples_is_refused(stop):
    given = TrainSettings(network="residual", data="data")
    with pytest.raises(PrivacyError, match="look at validation samples"):
        private_settings(given, recipe(stop={"epochs": 3, **stop}))
    private_settings(TrainSettings(network="residual", data="data", validation="v"), recipe(stop={"epochs": 3, **stop}))


def test_statistics_of_pixels_are_replaced_by_constants_where_none_are_given():
    assert private_settings(TrainSettings("residual", "data"), recipe()).options == {"mean": 0.5, "std": 0.5}
    given = TrainSettings("residual", "data", options={"mean": [0.1], "size": 8})
    assert private_settings(given, recipe()).options == {"mean": [0.1], "std": 0.5, "size": 8}
    own = TrainSettings("package.module:build", "data")
    assert private_settings(own, recipe()) == own


def test_samples_cut_off_for_validation_are_trained_on_where_none_is_named():
    index = {"train": np.array([0, 1]), "validation": np.array([2, 3, 4]), "test": np.array([5])}
    kept = private_index(TrainSettings("residual", "data"), index)
    assert kept["train"].tolist() == [0, 1, 3, 4]
    assert kept["validation"].tolist() == [2]
    assert private_index(TrainSettings("residual", "data", validation="v"), index) == index
