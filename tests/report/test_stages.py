from __future__ import annotations

from speedwell.report import read_run
from speedwell.report.rows import make_rows
from speedwell.report.stages import winner_stages


def test_the_winner_is_told_step_by_step_from_the_trials_of_its_prefixes(run_folder):
    run = read_run(run_folder("certified"))
    stages = winner_stages(run, make_rows(run))
    assert [s.label for s in stages] == [
        "original, torch eager", "+ to ONNX, run by ONNX Runtime", "+ fused", "+ int8 dynamic"]  # fmt: skip
    seconds = [s.seconds for s in stages]
    assert seconds == sorted(seconds, reverse=True)
    assert [s.apply_seconds for s in stages] == [0, 6.1, 1.2, 2.4]
    assert stages[2].note == "31 nodes folded"
    assert stages[-1].size_bytes == 24_100_000


def test_a_prefix_that_was_never_timed_is_told_with_the_next_step(run_folder):
    run = read_run(run_folder("certified"))
    rows = [r for r in make_rows(run) if r.label not in ("same, ONNX Runtime", "fused, ONNX Runtime")]
    assert [s.label for s in winner_stages(run, rows)] == [
        "original, torch eager", "+ to ONNX, fused, int8 dynamic, run by ONNX Runtime"]  # fmt: skip


def test_without_a_winner_there_are_no_stages(run_folder):
    run = read_run(run_folder("kept"))
    assert winner_stages(run, make_rows(run)) == ()
