from __future__ import annotations

import pytest

from speedwell.report import read_run
from speedwell.report.changes import confirmed_counts, selection_changes


def test_confirmed_counts_add_up_to_the_claim(run_folder):
    counts = confirmed_counts(read_run(run_folder("certified")))
    assert counts.n == 4500
    assert (counts.winner, counts.original) == (21, 25)
    assert (counts.both + counts.original) / counts.n == pytest.approx(0.953111, abs=1e-6)
    assert (counts.both + counts.winner) / counts.n == pytest.approx(0.952222, abs=1e-6)


def test_selection_changes_name_classes_and_agree_with_each_other(run_folder):
    changes = selection_changes(read_run(run_folder("certified")), most=1000)
    assert changes.differ == 9
    assert changes.counts.n == changes.n == 800
    assert sum(c.lost for c in changes.classes) == changes.counts.original == 5
    assert sum(c.won for c in changes.classes) == changes.counts.winner == 4
    assert sum(s.count for s in changes.swaps) == changes.differ
    assert all(" " in c.name and not c.name.startswith("class") for c in changes.classes)


def test_without_labels_only_differences_are_counted(run_folder):
    run = read_run(run_folder("agreement"))
    changes = selection_changes(run)
    assert changes.differ == 9
    assert changes.counts is None
    assert changes.classes == ()
    assert confirmed_counts(run) is None


def test_without_a_winner_there_is_nothing_to_compare(run_folder):
    for kind in ("kept", "interrupted"):
        run = read_run(run_folder(kind))
        assert selection_changes(run) is None
        assert confirmed_counts(run) is None
