from __future__ import annotations

import pytest

from speedwell.report import JsonProgress, TerminalProgress, open_progress


def test_json_or_terminal_by_the_way_a_verb_was_called(capsys):
    with open_progress(as_json=True) as progress:
        assert isinstance(progress, JsonProgress)
        progress.note("x")
    assert '"event": "note"' in capsys.readouterr().out
    with open_progress(quiet=True) as progress:
        assert isinstance(progress, TerminalProgress)
        progress.note("x")
    assert capsys.readouterr().out == ""


def test_the_live_line_is_taken_away_when_the_block_fails(monkeypatch):
    closed = []
    monkeypatch.setattr(TerminalProgress, "close", lambda self: closed.append(self))
    with pytest.raises(KeyboardInterrupt), open_progress():
        raise KeyboardInterrupt
    assert len(closed) == 1
