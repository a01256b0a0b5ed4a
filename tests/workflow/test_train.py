"""``speedwell train`` as a verb: from data on disk to a network that ``accelerate`` opens."""

from __future__ import annotations

import csv
import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image

import speedwell
from speedwell.core.errors import (
    DataError,
    DataNotFoundError,
    EmptySplitError,
    LabelMismatchError,
    ModelError,
    OutputError,
    ResumeError,
    SingleClassError,
    SpeedwellError,
    UsageError,
    WorkerLostError,
)
from speedwell.inputs import store
from speedwell.workflow.train import TrainResult, resumed_settings, train
from speedwell.workflow.train_settings import TrainSettings, arguments_of, recipe_for, set_value

SMALL = {"network": "residual", "arguments": {"depth": 8, "width": 4}}
GENTLE = {"optimizer": {"name": "adamw", "lr": 0.02}, "batch": 16, "ema": 0.5, "stop": {"epochs": 6.0}}


def write_images(folder: Path, n: int, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    for i in range(n):
        label = ("red", "green", "blue")[i % 3]
        pixels = rng.integers(0, 100, (12, 12, 3)).astype(np.uint8)
        pixels[:, :, i % 3] += 120
        (folder / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / label / f"{seed}-{i}.png")
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    write_images(folder / "train", 90)
    write_images(folder / "test", 45, seed=1)
    return folder


@pytest.fixture(scope="module")
def texts(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    rng = np.random.default_rng(0)
    good, bad = ["fine", "lovely", "great", "happy"], ["awful", "dull", "sad", "broken"]
    for name, n in (("train", 160), ("test", 60)):
        with (folder / f"{name}.csv").open("w", newline="") as f:
            rows = csv.writer(f)
            rows.writerow(["text", "label"])
            for i in range(n):
                words = good if i % 2 else bad
                filler = [f"w{k}" for k in rng.integers(0, 40, rng.integers(1, 9))]
                rows.writerow([" ".join([*filler, str(rng.choice(words)), *filler[:2], str(i), name]), i % 2])
    return folder


@pytest.fixture(scope="module")
def trained(images, tmp_path_factory) -> TrainResult:
    out = tmp_path_factory.mktemp("runs") / "trained"
    return train({**SMALL, "data": str(images / "train"), "test": str(images / "test"), "recipe": GENTLE}, out)


def test_images_are_learnt_and_the_result_says_all_of_it(trained):
    assert trained.test > 0.9
    assert trained.test_low < trained.test <= trained.test_high
    assert trained.counts == {"train": 81, "validation": 9, "test": 45}
    assert trained.classes == ("blue", "green", "red")
    assert trained.metric == "accuracy"
    assert min(trained.forward_ms, trained.backward_ms, trained.update_ms, trained.samples_per_second) > 0
    assert trained.backward_operations > trained.forward_operations > 0
    assert trained.steps == 6 * 6
    record = json.loads((trained.folder / "result.json").read_text())
    assert record["test"] == trained.test
    assert (trained.folder / "recipe.toml").is_file()


def test_what_was_trained_opens_with_its_own_preprocessing(trained, images, tmp_path):
    from speedwell.sources import build_module, load_model
    from speedwell.tasks import build

    model = load_model(str(trained.folder), None, tmp_path)
    task = build("image-classification", {})
    samples = task.read(images / "test", {})
    transform = task.transform(model, {})
    assert not transform.assumed
    import torch

    with torch.inference_mode():
        inputs = transform.finish([transform.encode(samples[i].raw) for i in range(len(samples))])
        outputs = build_module(model)(torch.from_numpy(inputs["image"])).numpy()
    evidence = task.evidence({"output": outputs}, samples.targets)
    assert float(evidence.scores.mean()) == pytest.approx(trained.test)


def test_texts_are_learnt_from_nothing_and_the_vocabulary_goes_along(texts, tmp_path):
    tables = {
        "network": "encoder", "data": str(texts / "train.csv"), "test": str(texts / "test.csv"),
        "arguments": {"width": 32, "heads": 2, "layers": 1, "length": 32},
        "recipe": {"batch": 16, "stop": {"epochs": 20.0}, "optimizer": {"lr": 0.005}},
    }  # fmt: skip
    done = train(tables, tmp_path / "run")
    assert done.task == "text-classification"
    assert done.test > 0.7  # a guess is right half the time
    assert (done.model / "tokenizer.json").is_file()


def test_the_same_recipe_trains_the_same_network(images, tmp_path):
    tables = {**SMALL, "data": str(images / "train"), "recipe": {**GENTLE, "stop": {"steps": 5}}, "threads": 1}
    made = [train(tables, tmp_path / name) for name in ("a", "b")]
    weights = [(m.model / "weights.safetensors").read_bytes() for m in made]
    assert weights[0] == weights[1]
    other = train({**tables, "recipe": {**tables["recipe"], "seed": 1}}, tmp_path / "c")
    assert (other.model / "weights.safetensors").read_bytes() != weights[0]


def test_a_recipe_file_finds_what_lies_beside_it(tmp_path):
    write_images(tmp_path / "pictures", 30)
    (tmp_path / "r.toml").write_text(
        'network = "residual"\ndata = "pictures"\n[arguments]\ndepth = 8\nwidth = 4\n[recipe]\nbatch = 8\n'
        "[recipe.stop]\nsteps = 3\n"
    )
    done = train(tmp_path / "r.toml", tmp_path / "run", optimizer__lr=0.5)
    assert done.steps == 3
    assert "lr = 0.5" in (tmp_path / "run" / "recipe.toml").read_text()
    assert done.test is None


def test_a_network_learns_from_a_teacher(trained, images, tmp_path):
    tables = {
        "network": "residual", "arguments": {"depth": 8, "width": 4}, "data": str(images / "train"),
        "test": str(images / "test"), "teacher": str(trained.folder),
        "recipe": {**GENTLE, "loss": {"distil": {"weight": 1.0, "features": 0.1, "layers": ["stages"]}}},
    }  # fmt: skip
    assert train(tables, tmp_path / "student").test > 0.8
    with pytest.raises(UsageError, match="--teacher"):
        train({**tables, "teacher": None}, tmp_path / "orphan")


def test_training_goes_on_from_a_trained_folder(trained, images, tmp_path):
    done = train({"network": str(trained.folder), "data": str(images / "train"), "recipe": {"stop": {"steps": 2}}},
                 tmp_path / "more")  # fmt: skip
    assert done.validation > 0.8
    assert "lr = 5e-05" in (tmp_path / "more" / "recipe.toml").read_text()


def test_a_killed_training_is_resumed_by_its_own_settings(images, tmp_path):
    tables = {**SMALL, "data": str(images / "train"), "threads": 1, "recipe": {**GENTLE, "checkpoint_seconds": 0.0}}
    whole = train(tables, tmp_path / "whole")
    script = (
        "import os, signal, speedwell, sys, json\n"
        "from speedwell.training import learner\n"
        "step = learner.Learner.step\n"
        "def dying(self, batch, whole, number, rate):\n"
        "    if number == 17: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return step(self, batch, whole, number, rate)\n"
        "learner.Learner.step = dying\n"
        "speedwell.train(json.loads(sys.argv[1]), sys.argv[2])\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, json.dumps(tables), str(tmp_path / "killed")], check=False)
    assert killed.returncode == -signal.SIGKILL
    with pytest.raises(OutputError, match="--resume"):
        train(tables, tmp_path / "killed")
    resumed = train({}, tmp_path / "killed", resume=True)
    assert resumed.steps == whole.steps
    for name in ("weights.safetensors", "origin.json"):
        assert (resumed.model / name).read_bytes() == (whole.model / name).read_bytes()


def test_several_processes_train_one_network(images, tmp_path):
    tables = {**SMALL, "data": str(images / "train"), "test": str(images / "test"), "recipe": GENTLE, "processes": 2}
    done = train(tables, tmp_path / "run")
    assert done.test > 0.8
    assert done.steps == 36
    with pytest.raises(SpeedwellError, match="nothing at"):
        train({**tables, "data": str(images / "nowhere")}, tmp_path / "wrong")


def test_a_killed_process_of_several_is_a_typed_error_and_the_run_resumes(images, tmp_path):
    tables = {**SMALL, "data": str(images / "train"), "processes": 2, "recipe": {
        **GENTLE, "stop": {"epochs": 400.0}, "checkpoint_seconds": 0.0}}  # fmt: skip
    script = "import json, speedwell, sys; speedwell.train(json.loads(sys.argv[1]), sys.argv[2])"
    parent = subprocess.Popen(
        [sys.executable, "-c", script, json.dumps(tables), str(tmp_path / "run")],
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    checkpoints = tmp_path / "run" / "checkpoints"
    until = time.monotonic() + 60
    while time.monotonic() < until and not (checkpoints.is_dir() and any(checkpoints.iterdir())):
        time.sleep(0.1)
    children = [int(p) for p in Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()]
    ranks = {}
    for child in children:
        variables = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
        ranks[next(v for v in variables if v.startswith(b"RANK="))] = child
    os.kill(ranks[b"RANK=1"], signal.SIGKILL)
    _, told = parent.communicate(timeout=60)
    assert parent.returncode == 1
    assert WorkerLostError.__name__ in told
    assert "process 2 of 2 was killed (SIGKILL)" in told
    assert not Path(f"/proc/{ranks[b'RANK=0']}").exists()
    settings = resumed_settings(tmp_path / "run")
    assert settings.processes == 2


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"network": "resnet"}, ModelError, "resnet"),
        ({"network": ""}, UsageError, "network"),
        ({"data": "nowhere"}, DataNotFoundError, "--data"),
        ({"test": "nowhere"}, DataNotFoundError, "--test"),
        ({"dta": "x"}, UsageError, "dta"),
        ({"recipe": {"lr": 1.0}}, UsageError, "lr"),
        ({"recipe": 3}, UsageError, "table"),
        ({"arguments": {"depth": 9}}, UsageError, "depth is 9"),
        ({"arguments": {"depth": 8, "width": 4, "classes": 2}}, LabelMismatchError, "label 2 is beyond .* 2 outputs"),
        ({"task": "poetry"}, UsageError, "poetry"),
        ({"threads": -1}, UsageError, "threads -1"),
        ({"weights": "none.safetensors"}, ModelError, "none.safetensors"),
    ],
)
def test_what_is_wrong_is_named(images, tmp_path, change, kind, words):
    tables = {**SMALL, "data": str(images / "train"), "recipe": {"stop": {"steps": 1}}, **change}
    with pytest.raises(kind, match=words):
        train(tables, tmp_path / "run")


def test_data_that_cannot_be_learnt_from_is_a_typed_error(images, texts, tmp_path):
    single = write_images(tmp_path / "single", 3)
    for label in ("green", "blue"):
        for path in (single / label).iterdir():
            path.unlink()
        (single / label).rmdir()
    cases = [
        (tmp_path / "single", SingleClassError, "red"),
        (texts / "train.csv", DataError, "texts, not images"),
    ]
    for number, (data, kind, words) in enumerate(cases):
        with pytest.raises(kind, match=words):
            train({**SMALL, "data": str(data)}, tmp_path / f"run {number}")
    (tmp_path / "empty.csv").write_text("text,label\n")
    with pytest.raises(SpeedwellError):
        train({"network": "encoder", "data": str(tmp_path / "empty.csv")}, tmp_path / "run e")
    (tmp_path / "bare.csv").write_text("text\n" + "".join(f"words {i}\n" for i in range(30)))
    with pytest.raises((EmptySplitError, DataError)):
        train({"network": "encoder", "data": str(tmp_path / "bare.csv")}, tmp_path / "run b")
    write_images(tmp_path / "other" / "deep", 0)
    other = write_images(tmp_path / "other", 12, seed=4)
    (other / "red").rename(other / "pink")
    with pytest.raises(LabelMismatchError, match="pink"):
        train({**SMALL, "data": str(images / "train"), "test": str(other)}, tmp_path / "run t")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # tensorboard's thread meets it too
@pytest.mark.parametrize("size", ["16k", "120k", "240k"])  # the start, the data, a checkpoint
def test_a_full_disk_is_told_and_the_training_goes_on_when_there_is_room(images, tmp_path, monkeypatch, size):
    """A small file system of its own where that can be mounted; elsewhere a writer that meets the system's error."""
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(small)]
    mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    tables = {**SMALL, "data": str(images / "train"), "recipe": {"stop": {"steps": 4}, "checkpoint_seconds": 0.0}}
    try:
        with monkeypatch.context() as patch:
            if not mounted:
                patch.setattr(store, "_write", Mock(side_effect=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))
            with pytest.raises(OutputError, match=r"full|cannot write") as told:
                train(tables, small / "run")
        assert "oom" in told.value.fix or "Free space" in told.value.fix
        if mounted:
            subprocess.run(["mount", "-o", "remount,size=20m", str(small)], check=True)
        done = train({}, small / "run", resume=True)
        assert done.steps == 4
    finally:
        if mounted:
            # lazily: tensorboard's thread, which met the full disk, may hold its file a little longer
            subprocess.run(["umount", "--lazy", str(small)], check=True)


def test_test_samples_that_were_trained_on_are_left_out_of_the_test(images, tmp_path):
    tables = {**SMALL, "data": str(images / "train"), "test": str(images / "train"), "recipe": {"stop": {"steps": 1}}}
    done = train(tables, tmp_path / "run")
    assert done.test is None
    assert "test" not in done.counts


def test_an_empty_text_is_trained_on_like_any_other(texts, tmp_path):
    rows = (texts / "train.csv").read_text().splitlines()
    (tmp_path / "t.csv").write_text("\n".join([*rows[:60], '"",1', ""]))
    tables = {
        "network": "encoder", "data": str(tmp_path / "t.csv"), "arguments": {"width": 16, "heads": 2, "layers": 1},
        "recipe": {"stop": {"epochs": 1.0}},
    }  # fmt: skip
    done = train(tables, tmp_path / "run")
    assert done.counts["train"] + done.counts["validation"] >= 59
    assert not done.skipped


def test_nothing_of_a_run_can_be_changed_unseen_before_it_is_resumed(images, tmp_path):
    tables = {**SMALL, "data": str(images / "train"), "recipe": {"stop": {"steps": 2}}}
    done = train(tables, tmp_path / "run")
    path = done.folder / "train.json"
    path.write_text(path.read_text().replace('"steps": 2', '"steps": 3'))
    with pytest.raises(ResumeError, match="changed"):
        train({}, done.folder, resume=True)
    with pytest.raises(ResumeError, match="holds no training"):
        train({}, tmp_path / "nothing", resume=True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputError, match="not empty"):
        train(tables, tmp_path / "full")
    assert (tmp_path / "full" / "thesis.tex").read_text() == "years of work"


def test_data_that_changed_since_is_not_resumed_with(tmp_path):
    data = write_images(tmp_path / "data", 30)
    done = train({**SMALL, "data": str(data), "recipe": {"stop": {"steps": 2}}}, tmp_path / "run")
    next((data / "red").iterdir()).unlink()
    with pytest.raises(ResumeError, match="data is not what"):
        train({}, done.folder, resume=True)


def test_the_default_recipe_fits_the_task():
    assert recipe_for("image-classification", False, {}).optimizer.name == "sgd"
    assert recipe_for("text-classification", False, {}).optimizer.lr == 1e-3
    fine = recipe_for("text-classification", True, {"stop": {"epochs": 1}})
    assert fine.optimizer.lr < 1e-4
    assert fine.stop.epochs == 1
    assert recipe_for("object-detection", False, {}).augment.mosaic > 0


def test_values_on_the_command_line_are_toml_or_words():
    tables = {"optimizer": {"lr": 0.1}}
    for text in ("optimizer.lr=0.5", "optimizer.name=muon", "augment.flip=true", 'freeze=["conv"]', "seed = 3"):
        set_value(tables, text)
    assert tables == {
        "optimizer": {"lr": 0.5, "name": "muon"}, "augment": {"flip": True}, "freeze": ["conv"], "seed": 3,
    }  # fmt: skip
    assert arguments_of(["depth=20", "size=[32, 32]"]) == {"depth": 20, "size": [32, 32]}
    for text in ("lr", "=3", "a..b=1", "seed.x=1"):
        with pytest.raises(UsageError, match="--set"):
            set_value(tables, text)


def test_it_is_a_public_verb():
    assert speedwell.train is train
    assert TrainSettings("residual", "data").processes == 1


def test_a_detector_learns_and_opens_with_its_letterbox_and_its_boxes(tmp_path):
    from speedwell.inputs import LetterboxTransform
    from speedwell.sources import load_model
    from speedwell.tasks import build_detection

    tables = {
        "network": "detector", "data": "scenes:digits?n=24&seed=1&size=64&part=train",
        "test": "scenes:digits?n=8&seed=2&size=64&part=confirmation", "arguments": {"size": [64, 64], "width": 0.25},
        "options": {"metric": "AP50"}, "recipe": {"batch": 8, "stop": {"steps": 4}, "augment": {"mosaic": 1.0}},
    }  # fmt: skip
    done = train(tables, tmp_path / "run")
    assert done.metric == "AP50"
    assert done.test is not None
    assert done.test_low is None  # an average precision is no share of samples
    assert 'class="truth"' in (tmp_path / "run" / "report.html").read_text()
    model = load_model(str(tmp_path / "run"), None, tmp_path / "opened")
    task = build_detection({}, model)
    transform = task.transform(model, {})
    assert isinstance(transform, LetterboxTransform)
    assert not transform.assumed
    assert task.detection["style"] == "grid"
    with pytest.raises(LabelMismatchError, match="label 9 is beyond the model's 4 classes"):
        train({**tables, "arguments": {**tables["arguments"], "classes": 4}}, tmp_path / "narrow")
