"""D3: SIGKILL at any step, resume, and the end is bit for bit that of a run that was never stopped."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from speedwell.training.checkpoint import newest_checkpoint
from speedwell.training.history import read_history

SCRIPT = Path(__file__).with_name("training_process.py")


def run(folder: Path, data: Path, optimizer: str, kill: int = 0, seconds: float = 0.0, expect: int = 0) -> None:
    command = [sys.executable, str(SCRIPT), str(folder), str(data), optimizer, str(kill), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == expect, done.stderr


def end(folder: Path) -> tuple[str, str, list[dict]]:
    """What is left: the last checkpoint, the best weights, the history without times."""
    found = newest_checkpoint(folder / "checkpoints")
    assert found is not None
    tensors, facts = found
    whole = hashlib.sha256()
    for name in sorted(tensors):
        whole.update(name.encode() + tensors[name].numpy().tobytes())
    facts["position"].pop("seconds")
    whole.update(json.dumps(facts, sort_keys=True).encode())
    rows = [{k: v for k, v in row.items() if k not in ("seconds", "speed")} for row in read_history(folder)]
    return whole.hexdigest(), hashlib.sha256((folder / "best.safetensors").read_bytes()).hexdigest(), rows


@pytest.mark.parametrize(
    "optimizer", ["adamw", pytest.param("sgd", marks=pytest.mark.slow), pytest.param("muon", marks=pytest.mark.slow)]
)
def test_a_killed_training_ends_as_one_that_never_stopped(tmp_path, split, optimizer):
    run(tmp_path / "whole", split.folder, optimizer)
    # 7 batches an epoch: in the middle of the first, at the end of the second, in the middle of the third
    for kill in (3, 14, 17):
        run(tmp_path / "killed", split.folder, optimizer, kill, expect=-signal.SIGKILL)
    run(tmp_path / "killed", split.folder, optimizer)
    whole, killed = end(tmp_path / "whole"), end(tmp_path / "killed")
    assert killed[0] == whole[0]
    assert killed[1] == whole[1]
    assert killed[2][-1]["step"] == whole[2][-1]["step"] == 21


@pytest.mark.slow
def test_work_since_the_last_checkpoint_is_done_again(tmp_path, split):
    run(tmp_path / "whole", split.folder, "adamw", seconds=3600)
    run(tmp_path / "killed", split.folder, "adamw", 12, seconds=3600, expect=-signal.SIGKILL)
    assert newest_checkpoint(tmp_path / "killed" / "checkpoints") is None  # none was due: it begins anew
    run(tmp_path / "killed", split.folder, "adamw", seconds=3600)
    assert end(tmp_path / "killed") == end(tmp_path / "whole")


@pytest.mark.slow
def test_a_finished_training_is_not_trained_again(tmp_path, split):
    run(tmp_path / "a", split.folder, "sgd")
    before = end(tmp_path / "a")
    run(tmp_path / "a", split.folder, "sgd")
    assert end(tmp_path / "a") == before


@pytest.mark.slow
def test_a_damaged_newest_checkpoint_costs_only_the_way_from_the_one_before(tmp_path, split):
    run(tmp_path / "whole", split.folder, "sgd")
    run(tmp_path / "a", split.folder, "sgd", 10, expect=-signal.SIGKILL)
    newest = sorted((tmp_path / "a" / "checkpoints").iterdir())[-1]
    data = bytearray((newest / "state.safetensors").read_bytes())
    data[len(data) // 2] ^= 1
    (newest / "state.safetensors").write_bytes(data)
    run(tmp_path / "a", split.folder, "sgd")
    assert end(tmp_path / "a")[:2] == end(tmp_path / "whole")[:2]


@pytest.mark.slow
def test_twenty_kills_at_random_steps(tmp_path, split):
    run(tmp_path / "whole", split.folder, "adamw")
    rng = np.random.default_rng(int(os.environ.get("SEED", "0")))
    for number in range(20):
        folder = tmp_path / f"run {number}"
        for kill in sorted(rng.choice(np.arange(1, 21), 2, replace=False).tolist()):
            run(folder, split.folder, "adamw", kill, expect=-signal.SIGKILL)
        run(folder, split.folder, "adamw")
        assert end(folder)[:2] == end(tmp_path / "whole")[:2], number
