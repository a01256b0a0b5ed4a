from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for i in range(60):
        (folder / "ab"[i % 2]).mkdir(exist_ok=True)
        pixels = (rng.integers(0, 100, (8, 8, 3)) + 120 * (i % 2)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "ab"[i % 2] / f"{i}.png")
    return folder


def speedwell(*arguments: object, **options) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "80"}
    return subprocess.run(
        [sys.executable, "-m", "speedwell", *map(str, arguments)], capture_output=True, text=True, timeout=120,
        check=False, env=environment, **options,
    )  # fmt: skip


SMALL = ("--arg", "depth=8", "--arg", "width=4", "--batch", "16", "--lr", "0.05")


def test_a_person_reads_what_was_trained_and_how_to_use_it(pictures, tmp_path):
    done = speedwell("train", "residual", "--data", pictures, *SMALL, "--epochs", 2, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for words in ("Network  residual", "2 classes", "epoch", "accuracy", "best so far", "speedwell accelerate trained"):
        assert words in done.stdout
    assert "\x1b" not in done.stdout  # a pipe gets no colours
    assert not done.stderr
    again = speedwell("train", "residual", "--data", pictures, *SMALL, cwd=tmp_path)
    assert again.returncode == 8
    assert "--resume" in again.stderr


def test_a_program_reads_json_lines(pictures, tmp_path):
    done = speedwell("train", "residual", "--data", pictures, *SMALL, "--epochs", 1, "--json", "--out", tmp_path / "o")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [e["event"] for e in events if e["event"] != "row"] == ["header", "started", "done"]
    assert events[-1]["test"] is None
    assert events[-1]["counts"] == {"train": 54, "validation": 6}


@pytest.mark.slow
def test_quiet_says_only_the_end(pictures, tmp_path):
    done = speedwell("train", "residual", "--data", pictures, *SMALL, "--epochs", 1, "-q", "--out", tmp_path / "o")
    assert done.stdout.startswith("Done")


def test_ctrl_c_keeps_a_checkpoint_and_says_how_to_go_on(pictures, tmp_path):
    command = [sys.executable, "-m", "speedwell", "train", "residual", "--data", str(pictures), *SMALL, "--epochs",
               "100000", "--out", str(tmp_path / "o")]  # fmt: skip
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    history = tmp_path / "o" / "history.jsonl"
    while time.monotonic() < until and not (history.is_file() and history.stat().st_size > 500):
        time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    _, told = child.communicate(timeout=30)
    assert child.returncode == 130
    assert f"speedwell train --resume {tmp_path / 'o'}" in told
    assert list((tmp_path / "o" / "checkpoints").iterdir())


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "nothing to train"),
        (("residual",), 2, "data"),
        (("residual", "--data", "nowhere"), 4, "nothing at nowhere"),
        (("nothing.toml",), 4, "nothing.toml"),
        (("residual", "--data", ".", "--set", "lr"), 2, "--set"),
        (("residual", "--data", ".", "--set", "optimizer.name=lion"), 2, "sgd, adamw, muon"),
        (("residual", "--data", ".", "--size", "big"), 2, "--size"),
        (("--resume", "nowhere"), 8, "holds no training"),
        (("residual", "--resume", "nowhere"), 2, "--resume"),
    ],
)
def test_wrong_arguments_are_told_with_their_exit_code(arguments, code, words, tmp_path):
    done = speedwell("train", *arguments, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
