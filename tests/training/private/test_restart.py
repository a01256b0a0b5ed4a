"""D3 for private training: a killed one ends bit for bit as one that never stopped, so no step is answered twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from speedwell.training.checkpoint import newest_checkpoint
from speedwell.training.history import read_history
from speedwell.training.private import Secret

pytestmark = pytest.mark.slow
SCRIPT = Path(__file__).with_name("private_process.py")


def run(key: Path, *runs: tuple[Path, int]) -> list[dict]:
    """Trainings one after the other: (folder, the step to kill it after, or 0)."""
    command = [sys.executable, str(SCRIPT), str(key), *(f"{folder}:{kill}" for folder, kill in runs)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def end(folder: Path) -> tuple[dict[str, torch.Tensor], dict]:
    found = newest_checkpoint(folder / "checkpoints")
    assert found is not None
    tensors, facts = found
    facts["position"].pop("seconds")
    return tensors, facts


@pytest.fixture(scope="module")
def trainings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """whole/ and killed/ of one key; then lost/, stopped at step 5."""
    folder = tmp_path_factory.mktemp("private")
    (folder / "private.key").write_bytes(bytes(range(32)))
    killed = [(folder / "killed", kill) for kill in (1, 22, 0)]
    told = run(folder / "private.key", (folder / "whole", 0), *killed, (folder / "lost", 5))
    assert [t["code"] for t in told] == [0, -signal.SIGKILL, -signal.SIGKILL, 0, -signal.SIGKILL]
    assert told[0]["empty"] >= 2, "no batch was empty: the tests would not see what becomes of one"
    return folder


def test_a_killed_private_training_ends_as_one_that_never_stopped(trainings):
    (whole, facts), (killed, again) = end(trainings / "whole"), end(trainings / "killed")
    assert whole.keys() == killed.keys()
    assert all(torch.equal(whole[n], killed[n]) for n in whole)
    assert facts == again
    assert facts["position"]["step"] == 30
    weights = [(trainings / name / "best.safetensors").read_bytes() for name in ("whole", "killed")]
    assert weights[0] == weights[1]


def test_history_and_checkpoint_hold_no_loss(trainings):
    rows = read_history(trainings / "whole")
    assert len(rows) > 10
    assert all("norm" in row and "loss" not in row for row in rows)
    position = end(trainings / "whole")[1]["position"]
    assert position["recent_loss"] is None
    assert position["start_loss"] is None
    assert position["skips"] == 0


def test_a_lost_key_is_not_replaced_in_silence_and_a_forgotten_one_ends_it(trainings):
    (lost,) = run(trainings / "another.key", (trainings / "lost", 0))
    assert lost["code"] == 1
    assert lost["error"].startswith("ResumeError: the key of this private training")
    over = trainings / "over.key"
    over.write_bytes(b"x" * 32)
    Secret.forget(over)
    before = end(trainings / "whole")
    finished, unfinished = run(over, (trainings / "whole", 0), (trainings / "lost", 0))
    assert finished["code"] == 0
    after = end(trainings / "whole")
    assert after[1] == before[1]
    assert all(torch.equal(before[0][n], after[0][n]) for n in before[0])
    assert unfinished["error"] == "PrivacyError: this training is over and its key is gone"
