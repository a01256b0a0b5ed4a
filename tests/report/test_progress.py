from __future__ import annotations

import io

from rich.console import Console

from speedwell.core.errors import UsageError
from speedwell.report import JsonProgress, NullProgress, Progress, TerminalProgress, TrialRow


def test_every_progress_answers_the_whole_interface(result, capsys):
    quiet = Console(file=io.StringIO(), width=80)
    for progress in (NullProgress(), JsonProgress(io.StringIO()), TerminalProgress(quiet, quiet)):
        assert isinstance(progress, Progress)
        progress.header({"Machine": ["a", "b"]})
        progress.budget(60, 12)
        progress.started(1, "x", "why", 1.2, "y")
        progress.finished(TrialRow(1, "x"))
        progress.note("n")
        progress.warning("w")
        progress.confirming(1, 12)
        progress.done(result, {"bundle": "b"})
        progress.interrupted("", "speedwell accelerate --resume RUN")
        progress.failed(UsageError("what", "fix"))
    assert capsys.readouterr() == ("", "")
