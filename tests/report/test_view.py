from __future__ import annotations

import json
import re

import pytest

from speedwell.report import ShownSample, read_run
from speedwell.report.rows import make_rows
from speedwell.report.view import page_view, raw_json


@pytest.mark.parametrize(
    ("kind", "drawn"),
    [
        ("certified", {"picture", "waterfall", "answers", "operators_chart", "ratios", "calls"}),
        ("agreement", {"picture", "waterfall", "operators_chart", "ratios", "calls"}),
        ("interrupted", {"picture", "calls"}),
        ("nothing_faster", {"picture", "calls"}),
    ],
)
def test_what_can_be_drawn_is_drawn_wide_and_narrow_and_nothing_else(run_folder, kind, drawn):
    view = page_view(read_run(run_folder(kind)))
    charts = {"picture", "waterfall", "answers", "operators_chart", "ratios", "calls"}
    assert {name for name in charts if view[name]} == drawn
    assert all(set(view[name]) == {"wide", "narrow"} for name in drawn)


def test_an_unfinished_run_shows_its_own_front(run_folder):
    view = page_view(read_run(run_folder("interrupted")))
    front = [r for r in view["rows"] if r.state == "front"]
    assert front
    assert all(not (o.seconds < f.seconds and o.difference > f.difference) for f in front for o in view["rows"])


def test_the_raw_numbers_are_whole_and_cannot_end_their_script_element(run_folder):
    run = read_run(run_folder("hostile"))
    text = raw_json(run, make_rows(run))
    assert not re.search("[<>&]", text)
    data = json.loads(text)
    assert len(data["candidates"]) == 25
    assert data["asked"]["command"].startswith("</script>")
    assert len(data["result"]["confirmations"][0]["speed"][0]["samples"]) == 12
    assert data["result"]["original"]["evidence"] is None


def test_samples_are_shown_only_where_they_are_given(run_folder):
    run = read_run(run_folder("certified"))
    assert page_view(run)["samples"] == []
    shown = page_view(run, [ShownSample("a", "b", text="x\x1b")])["samples"]
    assert shown == [{"original": "a", "winner": "b", "truth": "", "text": "x", "image": "", "panels": {}}]
