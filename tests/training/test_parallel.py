"""Several processes: one gradient, one decision, and a lost one ends the training with a word."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from speedwell.workflow.train_processes import rank_environments

from .test_restart import SCRIPT, end

RANKS = Path(__file__).with_name("ranks_process.py")


def together(world: int, *arguments: str, script: Path = RANKS) -> list[subprocess.CompletedProcess[str]]:
    children = []
    for named in rank_environments(world):
        environment = {**os.environ, **named, "OMP_NUM_THREADS": "1"}
        children.append(
            subprocess.Popen(
                [sys.executable, str(script), *arguments], env=environment, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True,
            )
        )  # fmt: skip
    said = []
    for child in children:
        out, err = child.communicate(timeout=200)
        said.append(subprocess.CompletedProcess(child.args, child.returncode, out, err))
    return said


@pytest.mark.parametrize("world", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_the_gradient_of_several_processes_is_that_of_one(world):
    for child in together(world, "gradient"):
        assert child.returncode == 0, child.stderr
        assert "equal" in child.stdout


@pytest.mark.parametrize("world", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_a_fault_on_one_process_is_skipped_by_all_alike(world):
    for child in together(world, "faults", "40"):
        assert child.returncode == 0, child.stderr
        assert "40 faults, no trace" in child.stdout


@pytest.mark.slow
def test_processes_end_quietly_with_the_group_still_held():
    """Where gloo's thread is late, its process aborts after all is done: here in a quarter of the pairs."""
    for _ in range(15):
        for child in together(2, "ends"):
            assert child.returncode == 0, child.stderr
            assert child.stdout == "done\n"


@pytest.mark.slow
def test_250_faults_on_one_of_three_processes():
    for child in together(3, "faults", "250"):
        assert child.returncode == 0, child.stderr
        assert "250 faults, no trace" in child.stdout


def test_weights_spread_over_processes_learn_the_same():
    for child in together(2, "sharded"):
        assert child.returncode == 0, child.stderr
        assert "equal" in child.stdout


@pytest.mark.slow
def test_a_killed_process_ends_the_others_with_a_typed_error_and_the_run_resumes(tmp_path, split):
    arguments = (str(split.folder), "sgd")
    whole = together(2, str(tmp_path / "whole"), *arguments, "0", "0", script=SCRIPT)
    assert [c.returncode for c in whole] == [0, 0], whole[0].stderr + whole[1].stderr
    killed = together(2, str(tmp_path / "lost"), *arguments, "9", "0", script=Path(__file__).with_name("lost_rank.py"))
    assert killed[1].returncode == -signal.SIGKILL
    assert "WorkerLostError" in killed[0].stderr, killed[0].stderr
    again = together(2, str(tmp_path / "lost"), *arguments, "0", "0", script=SCRIPT)
    assert [c.returncode for c in again] == [0, 0]
    assert end(tmp_path / "lost")[:2] == end(tmp_path / "whole")[:2]
