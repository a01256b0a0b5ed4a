from __future__ import annotations

import dataclasses

import pytest

from speedwell.report import read_run
from speedwell.report.figures import headline, key_figures, lead
from speedwell.report.rows import make_rows
from speedwell.report.words import TIMES as X


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("certified", [f"3.39{X}", f"2.58{X}", "95.2 %", "24.1 MB"]),
        ("agreement", [f"3.39{X}", f"2.58{X}", "99.11 %", "24.1 MB"]),
        ("undecided", [f"3.39{X}", "2,000"]),
        ("kept", [f"3.39{X}"]),
    ],
)
def test_the_key_figures_are_those_of_the_claims(run_folder, kind, values):
    run = read_run(run_folder(kind))
    shown = [f.value for f in key_figures(run, make_rows(run))]
    assert [v for v in shown if v in values] == values


def test_the_accuracy_figure_carries_its_bound_and_size_its_factor(run_folder):
    run = read_run(run_folder("certified"))
    details = {f.name: f.detail for f in key_figures(run, make_rows(run))}
    assert details["Accuracy"] == "original 95.3 %; at worst 0.57 points lower (95 % sure)"
    assert details["Size on disk"] == f"original 90.9 MB; 3.8{X} smaller"


def test_an_unfinished_run_claims_nothing(run_folder):
    run = read_run(run_folder("interrupted"))
    rows = make_rows(run)
    assert headline(run, rows).startswith("The run has not ended. The best so far is int8 dynamic, ONNX Runtime")
    assert "Nothing is confirmed" in headline(run, rows)
    assert all("confirmed" not in f.detail or "not confirmed" in f.detail for f in key_figures(run, rows))
    assert "Promise" in lead(run) or "promise" in lead(run)


def test_the_runs_own_sentence_is_what_a_person_reads_first(run_folder, result):
    run = read_run(run_folder("certified"))
    said = dataclasses.replace(run, result=dataclasses.replace(result, sentence="So it is."))
    assert headline(said, ()) == "So it is."
