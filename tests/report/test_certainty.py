from __future__ import annotations

import dataclasses

import pytest

from speedwell.core import Interval
from speedwell.report import read_run
from speedwell.report.certainty import (
    accuracy_lines,
    call_groups,
    control_words,
    ledger_lines,
    ratio_lines,
    speed_lines,
    splits,
)
from speedwell.report.rows import make_rows


@pytest.fixture
def run(run_folder):
    return read_run(run_folder("certified"))


def test_each_finalist_has_its_claim_with_test_n_and_bound(run):
    lines = accuracy_lines(run)
    assert [line.verdict for line in lines] == ["kept", "kept", "undecided"]
    assert lines[0].bound == "0.57 points lower (95 % sure)"
    assert lines[0].counts == "21 / 25"
    assert lines[2].note == "needs about 6,800 samples"
    assert len(speed_lines(run)) == 4
    assert splits(run)[2] == ("confirmation", "4,500", "sealed until the finalists were written down")


def test_the_control_comes_first_and_is_judged(run):
    lines = ratio_lines(run)
    assert lines[0].control
    assert not any(line.control for line in lines[1:])
    assert "holds 1, as it should" in control_words(run)


@pytest.mark.parametrize(
    ("interval", "words"), [(Interval(1.05, 1.03, 1.07), "too noisy"), (Interval(1.0, 0.97, 1.03), "more than 2 %")]
)
def test_a_noisy_machine_is_called_noisy(run, interval, words):
    control = dataclasses.replace(run.result.a_a[0], ratio=interval)
    noisy = dataclasses.replace(run, result=dataclasses.replace(run.result, a_a=(control,)))
    assert words in control_words(noisy)


def test_the_ledger_is_told_in_words_and_a_second_look_is_named(run):
    lines = ledger_lines(run)
    assert lines[0][1] == (
        "3 finalists written down before the confirmation split was opened, margin 1 point, test tango, n 4,500"
    )
    assert lines[1] == ("2026-11-24 11:30:01 UTC", "confirmation split opened (opening 1, alpha 0.05)")
    again = {"kind": "opening", "at": "yesterday", "body": {"opening": 2, "alpha": 0.025}}
    odd = {"kind": "unheard of", "text": "x"}
    late = ledger_lines(dataclasses.replace(run, ledger=(again, odd)))
    assert "second look: alpha is halved" in late[0][1]
    assert late[0][0] == ""
    assert "unheard of" in late[1][1]


def test_the_calls_shown_are_the_confirmations_or_else_the_searchs(run, run_folder):
    groups = call_groups(run, make_rows(run))
    assert [g[1] for g in groups] == ["base", "base", "winner"]
    assert [len(g[2]) for g in groups] == [12, 12, 12]
    unfinished = read_run(run_folder("interrupted"))
    groups = call_groups(unfinished, make_rows(unfinished))
    assert [len(g[2]) for g in groups] == [3, 3]
