from __future__ import annotations

import io

import pytest
from rich.console import Console

from speedwell.core import Interval
from speedwell.core.errors import ModelNotFoundError
from speedwell.report import TerminalProgress, TrialRow
from speedwell.report.terminal import terminal_console

FACTS = {"Machine": ["AMD EPYC, 2 cores", "engines: torch 2.13"], "Promise": "at most 1 point below the original, " * 4}
USE = 'speedwell.open("bundle/")("' + "how do I reset my pin? " * 6 + '")'


def play(progress: TerminalProgress, result) -> None:
    progress.header(FACTS)
    progress.budget(600, 120)
    progress.started(1, "same, OpenVINO", "first what costs nothing", 1.1, "int8")
    progress.finished(TrialRow(1, "same, OpenVINO", 0.953, 0.0, 0.0259, Interval(1.03, 1.02, 1.04), best=True))
    progress.finished(TrialRow(2, "x\x1b[31m[bold]y", words="crash \x1b]0;t\x07", failed=True))
    progress.note("a note")
    progress.warning("3 samples were removed " * 6)
    progress.confirming(1, 12)
    progress.done(result, {"bundle": "bundle/", "use": USE})


@pytest.fixture
def pipe() -> tuple[Console, io.StringIO]:
    stream = io.StringIO()
    return Console(file=stream, width=80, highlight=False, markup=False), stream


def test_a_pipe_gets_plain_lines_without_escape_codes_or_trailing_blanks(pipe, result):
    console, stream = pipe
    play(TerminalProgress(console, console), result)
    text = stream.getvalue()
    assert "\x1b" not in text
    assert "\r" not in text
    assert all(line == line.rstrip() for line in text.split("\n"))
    assert USE in text
    assert "x[31m[bold]y" in text
    assert text.index("Machine") < text.index("what ") < text.index("best so far") < text.index("Confirmed")


@pytest.mark.parametrize("width", [80, 200])
def test_a_terminal_shows_a_live_line_that_is_gone_in_the_end(width, result):
    stream = io.StringIO()
    console = Console(
        file=stream, width=width, force_terminal=True, color_system="standard", _environ={"TERM": "xterm"}
    )
    play(TerminalProgress(console, console), result)
    text = stream.getvalue()
    assert "9:59 left" in text or "10:00 left" in text
    assert "round 1 of 12" in text
    assert text.rindex("\x1b[2K") < text.rindex("Confirmed")
    assert USE in text


def test_quiet_leaves_warnings_and_the_end(pipe, result):
    console, stream = pipe
    play(TerminalProgress(console, console, quiet=True), result)
    lines = [line for line in stream.getvalue().split("\n") if line]
    assert lines[0].startswith("  warning")
    assert lines[1].startswith("Confirmed")
    assert "a note" not in stream.getvalue()


def test_an_error_goes_to_standard_error_with_its_fix_unbroken(pipe):
    console, stream = pipe
    errors = io.StringIO()
    fix = "speedwell accelerate my_package.models:build --weights model.pth " + "--and-more " * 8
    progress = TerminalProgress(console, Console(file=errors, width=80))
    progress.failed(ModelNotFoundError("nothing lies at [red]x.onnx", fix))
    assert stream.getvalue() == ""
    assert errors.getvalue() == f"error  nothing lies at [red]x.onnx\n{fix}\n"


def test_a_stop_takes_the_live_line_away_and_says_how_to_go_on():
    stream, errors = io.StringIO(), io.StringIO()
    console = Console(file=stream, width=80, force_terminal=True, _environ={"TERM": "xterm"})
    progress = TerminalProgress(console, Console(file=errors, width=80))
    progress.header(FACTS)
    progress.interrupted("bundle/", "speedwell accelerate --resume RUN")
    progress.close()
    assert errors.getvalue().startswith("Stopped. Best so far is in bundle/, not confirmed.")
    assert progress._live is None
    assert stream.getvalue().endswith("\x1b[2K") or "\x1b[?25h" in stream.getvalue()


def test_ci_and_no_color_are_honoured(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("CI", "true")
    assert not terminal_console().is_terminal
    monkeypatch.setenv("CI", "false")
    monkeypatch.setenv("NO_COLOR", "1")
    assert terminal_console().no_color
