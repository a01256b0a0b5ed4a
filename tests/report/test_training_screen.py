from __future__ import annotations

import io
import json
from dataclasses import dataclass

from rich.console import Console

from speedwell.report.training_screen import TrainingJson, TrainingScreen


@dataclass
class Plan:
    total: int = 40
    per_epoch: int = 10


@dataclass
class Row:
    step: int
    epoch: float
    loss: float | None = 1.234
    rate: float = 0.1
    norm: float | None = None
    speed: float = 1234.5
    seconds: float = 75.0
    metric: float | None = None
    best: bool = False


def shown(width: int = 80, terminal: bool = False, **options) -> tuple[TrainingScreen, io.StringIO]:
    stream = io.StringIO()
    return TrainingScreen(Console(file=stream, width=width, force_terminal=terminal), **options), stream


def test_each_validation_is_a_line_under_the_metrics_name():
    screen, stream = shown()
    screen.metric = "AP50"
    screen.header({"Network": "residual", "Data": "ten classes"})
    screen.started(Plan(), 0)
    screen.row(Row(5, 0.5))
    screen.row(Row(10, 1.0, None, metric=0.875, best=True))
    screen.row(Row(20, 2.0, metric=0.8))
    screen.close()
    lines = stream.getvalue().splitlines()
    assert "AP50" in lines[4]
    assert lines[5].split() == ["1.0", "1.23", "1,234", "1:15", "87.5", "%", "best", "so", "far"]
    assert "best" not in lines[6]
    assert max(map(len, lines)) <= 80


def test_on_a_terminal_a_live_line_says_how_long_it_will_take():
    screen, stream = shown(terminal=True)
    screen.started(Plan(), 0)
    screen.row(Row(20, 2.0))
    screen._live.refresh()
    screen.close()
    screen.close()
    assert "epoch 2.0 of 4" in stream.getvalue()
    assert "left" in stream.getvalue()


def test_quiet_keeps_warnings_and_control_characters_never_reach_the_terminal():
    screen, stream = shown(quiet=True)
    screen.header({"Network": "x"})
    screen.note("a note")
    screen.row(Row(10, 1.0, metric=0.5))
    screen.warning("look\x1b[31m here")
    assert stream.getvalue().strip() == "warning  look[31m here"


def test_json_lines_hold_what_the_lines_hold():
    stream = io.StringIO()
    screen = TrainingJson(stream)
    screen.header({"Network": "residual"})
    screen.started(Plan(), 3)
    screen.row(Row(10, 1.0, metric=0.5))
    screen.note("n")
    screen.warning("w")
    screen.close()
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [e["event"] for e in events] == ["header", "started", "row", "note", "warning"]
    assert events[2]["metric"] == 0.5
    assert "norm" not in events[2]
