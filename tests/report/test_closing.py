from __future__ import annotations

import dataclasses

import pytest

from speedwell.core import loads
from speedwell.core.result import Result
from speedwell.report.closing import closing_lines, interrupted_line


def test_a_winner_is_confirmed_faster_smaller_and_usable(result):
    lines = dict(
        closing_lines(result, {"bundle": "bundle/", "report": "r.html", "use": 'speedwell.open("bundle/")(x)'})
    )
    assert list(lines) == ["Confirmed", "Faster", "Warning", "Bundle", "Report", "Use it"]
    assert lines["Confirmed"].endswith("at worst 0.57 points lower (95 % sure). Promise kept.")
    assert lines["Faster"].startswith("3.39x the speed of the original [3.34, 3.44], 2.58x")
    assert lines["Faster"].endswith("24.1 MB, 3.8x smaller.")


@pytest.mark.parametrize(("kind", "head"), [("kept", "Keep the original"), ("undecided", "Undecided")])
def test_without_a_winner_the_verdict_comes_first_and_nothing_is_called_confirmed(run_folder, kind, head):
    found = loads(Result, (run_folder(kind) / "result.json").read_text())
    lines = closing_lines(found, {"report": "r.html"})
    assert lines[0][0] == head
    assert [name for name, _ in lines] == [head, "Report"]


@pytest.mark.parametrize(
    ("best", "words"), [(90_900_000, "90.9 MB."), (181_800_000, "2.0x larger"), (None, "[2.55, 2.61].")]
)
def test_a_size_that_did_not_shrink_is_told_as_it_is(result, best, words):
    changed = dataclasses.replace(result, environment={"best_size_bytes": best})
    assert (
        dict(closing_lines(changed, {}))["Faster"].endswith(words)
        or words in dict(closing_lines(changed, {}))["Faster"]
    )


def test_a_stop_says_where_the_best_lies_and_how_to_go_on():
    line = interrupted_line("bundle/", "speedwell accelerate --resume RUN")
    assert line == ("Stopped. Best so far is in bundle/, not confirmed. Go on with: speedwell accelerate --resume RUN, "
                    "or confirm now with --confirm-now")  # fmt: skip
    assert "No candidate has won yet" in interrupted_line("", "x")
