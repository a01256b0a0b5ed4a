from __future__ import annotations

import json
import shutil

import pytest

from speedwell.core.errors import RunError
from speedwell.report import read_run


@pytest.fixture
def copied(run_folder, tmp_path):
    return shutil.copytree(run_folder("certified"), tmp_path / "run")


def test_a_whole_folder_is_read_without_a_problem(run_folder):
    run = read_run(run_folder("certified"))
    assert run.problems == ()
    assert len(run.trials) == 25
    assert run.original is not None
    assert run.original.candidate.engine == "eager"
    assert run.about("model", "parameters") == 22_713_216
    assert run.about("bundle", "signed") is True
    assert len(run.ledger) == 3


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(RunError, match="holds no run"):
        read_run(tmp_path)


@pytest.mark.parametrize("name", ["run.json", "trials.json", "result.json"])
@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b'{"schema": 9, "record": {}}', b"\xff\xfe\x00"])
def test_a_missing_or_damaged_file_becomes_a_sentence_and_the_rest_is_read(copied, name, content):
    if content is None:
        (copied / name).unlink()
    else:
        (copied / name).write_bytes(content)
    run = read_run(copied)
    assert name == "run.json" or any(name in problem for problem in run.problems)
    assert (run.result is None) == (name == "result.json")
    assert run.original is not None
    assert run.promise is not None


def test_a_torn_last_line_of_the_ledger_and_an_unreadable_trial_are_left_out_and_named(copied):
    with (copied / "ledger.jsonl").open("a") as file:
        file.write('{"kind": "ope')
    trials = json.loads((copied / "trials.json").read_text())
    trials["trials"][3] = {"candidate": 5}
    (copied / "trials.json").write_text(json.dumps(trials))
    run = read_run(copied)
    assert len(run.ledger) == 3
    assert len(run.trials) == 24
    assert any("line 4" in p for p in run.problems)
    assert any("trial 3" in p for p in run.problems)


def test_an_interrupted_run_knows_its_original_promise_and_workload_from_run_json(run_folder):
    run = read_run(run_folder("interrupted"))
    assert run.result is None
    assert run.promise is not None
    assert run.promise.margin == 0.01
    assert run.workloads[0].name == "median length"
    assert run.original is not None
    assert not run.original.candidate.steps
