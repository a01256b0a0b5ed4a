from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from speedwell.core import Evidence, FailureKind
from speedwell.report import read_run
from speedwell.report.rows import failure_words, make_rows, median_seconds, paired_difference


def test_every_candidate_has_a_row_with_its_fate(run_folder):
    run = read_run(run_folder("certified"))
    rows = make_rows(run)
    assert [r.number for r in rows] == list(range(25))
    states = [r.state for r in rows]
    assert states[0] == "original"
    assert states[6] == "winner"
    assert states[3] == "front"
    assert states[13:] == ["failed"] * 12
    assert states.count("finalist") == 2
    assert all(r.reason for r in rows)
    assert rows[8].reason == "2.3 points below the original, promise 1.0"
    assert "points on the selection split" in rows[10].reason
    assert rows[6].ratio == pytest.approx(3.39, rel=0.05)
    assert rows[6].ratio_low <= rows[6].ratio <= rows[6].ratio_high


def test_in_a_run_that_goes_on_nothing_has_lost_yet(run_folder):
    rows = make_rows(read_run(run_folder("interrupted")))
    assert {r.state for r in rows} == {"original", "open"}


def test_each_kind_of_failure_is_told_with_its_stage_and_the_workers_words(trials):
    failed = [t for t in trials if t.failure is not None]
    assert {t.failure.kind for t in failed} == set(FailureKind)
    for trial in failed:
        words = failure_words(trial)
        assert words.startswith(trial.failure.kind.value)
        assert trial.failure.message in words


def test_the_difference_is_paired_over_the_first_part_that_both_answered():
    base = Evidence("binary", np.array([1.0, 1, 0, 1, 1]), np.array([1, 2, 3, 4, 5]))
    mine = Evidence("binary", np.array([1.0, 0, 1]), np.array([1, 9, 8]))
    difference, error, n = paired_difference(mine, base)
    assert (difference, n) == (0.0, 3)
    assert error == pytest.approx(np.std([0, -1, 1], ddof=1) / math.sqrt(3))
    bare = [dataclasses.replace(e, scores=np.zeros(0)) for e in (mine, base)]
    assert paired_difference(*bare)[0] == pytest.approx(-2 / 3)
    assert paired_difference(None, base) is None


def test_the_original_is_timed_by_the_baselines_where_it_has_no_timing_of_its_own(run_folder):
    run = read_run(run_folder("certified"))
    assert run.original.timings == ()
    assert median_seconds(run.original) is None
    assert make_rows(run)[0].seconds == pytest.approx(0.0268, rel=0.05)


def test_without_labels_accuracy_is_agreement_with_the_original(run_folder):
    rows = make_rows(read_run(run_folder("agreement")))
    assert rows[0].accuracy == 1.0
    assert rows[6].accuracy == pytest.approx(1 + rows[6].difference)
