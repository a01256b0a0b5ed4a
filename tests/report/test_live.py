from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from speedwell.report.live import Status


def draw(status: Status, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    console.print(status)
    return console.file.getvalue().rstrip("\n").split("\n")


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_status_shows_used_left_now_and_next_within_the_width(width):
    now = [0.0]
    status = Status(600, 120, clock=lambda: now[0])
    now[0] = 364.0
    status.running("int8 dynamic, ONNX Runtime", "int8 is cheap here", 2.4, "bfloat16, OpenVINO (expected 1.1x)")
    now[0] = 376.0
    lines = draw(status, width)
    assert all(cell_len(line) <= width for line in lines)
    text = "\n".join(lines)
    assert "6:16 used, 3:44 left" in text
    assert "int8 dynamic" in text
    assert "0:12" in text
    assert ("next" in text) == (width >= 60)
    assert ("expected 2.40x" in text) == (width >= 80)


def test_over_time_nothing_is_left_and_without_a_budget_there_is_no_bar():
    now = [0.0]
    status = Status(10, clock=lambda: now[0])
    now[0] = 99.0
    assert "0:00 left" in "\n".join(draw(status, 80))
    status.budget_seconds = None
    assert "left" not in "\n".join(draw(status, 80))


def test_confirming_replaces_what_runs():
    status = Status(10, clock=lambda: 0.0)
    status.running("x", "", None, "y")
    status.confirming(3, 12)
    text = "\n".join(draw(status, 80))
    assert "round 3 of 12" in text
    assert "next" not in text
