from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from worlds import PROMISE

from speedwell.core import Candidate, Step
from speedwell.core.errors import RunError
from speedwell.search import LEDGER_NAME, Ledger

FINALISTS = (Candidate((Step("fuse"),), "openvino"), Candidate((Step("half", {"to": "bf16"}),), "eager"))


def opened(folder: Path) -> Ledger:
    ledger = Ledger.open(folder, lambda: 5.0)
    ledger.declare(FINALISTS, PROMISE, "tango", 4500, {"correction": "fixed sequence"})
    return ledger


def test_what_is_declared_stands_before_it_is_opened(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    assert ledger.open_confirmation() == (1, 0.05)
    declared, opening = Ledger.open(tmp_path).entries
    assert declared.finalists == FINALISTS
    assert (declared.body["n"], declared.body["test"], declared.body["alpha"]) == (4500, "tango", 0.05)
    assert declared.body["promise"]["margin"] == 0.01
    assert opening.body["declared"] == declared.hash
    assert (tmp_path / LEDGER_NAME).stat().st_mode & 0o077 == 0


def test_each_further_opening_halves_alpha(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    assert ledger.next_opening() == (1, 0.05)
    assert ledger.next_opening() == (1, 0.05)
    ledger.open_confirmation()
    ledger.close_confirmation({"kept": 1})
    ledger = opened(tmp_path)
    assert ledger.open_confirmation() == (2, 0.025)
    ledger.close_confirmation({})
    assert opened(tmp_path).next_opening() == (3, 0.0125)


def test_nothing_is_opened_undeclared_or_twice(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no finalists are declared"):
        Ledger.open(tmp_path).open_confirmation()
    ledger = opened(tmp_path)
    ledger.open_confirmation()
    with pytest.raises(RunError, match="since it was opened"):
        ledger.open_confirmation()


def test_an_opening_that_a_crash_cut_off_goes_on_with_the_same_finalists(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    assert ledger.unclosed is None
    ledger.open_confirmation()
    unclosed = Ledger.open(tmp_path).unclosed
    assert unclosed is not None
    assert (unclosed[0].finalists, unclosed[1], unclosed[2]) == (FINALISTS, 1, 0.05)
    ledger.close_confirmation({})
    assert Ledger.open(tmp_path).unclosed is None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_torn_last_line_loses_no_earlier_one(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("ledger")
    ledger = opened(folder)
    ledger.open_confirmation()
    whole = (folder / LEDGER_NAME).read_bytes()
    first = whole.index(b"\n") + 1
    cut = data.draw(st.integers(first, len(whole) - 1))
    (folder / LEDGER_NAME).write_bytes(whole[:cut])
    again = Ledger.open(folder, lambda: 6.0)
    assert [e.kind for e in again.entries] == ["finalists"]
    assert again.open_confirmation() == (1, 0.05)
    assert [e.kind for e in Ledger.open(folder).entries] == ["finalists", "opening"]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_changed_line_is_found(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("ledger")
    opened(folder).open_confirmation()
    content = bytearray((folder / LEDGER_NAME).read_bytes())
    at = data.draw(st.integers(0, len(content) - 2))
    before = content[at]
    content[at] = data.draw(st.integers(32, 126).filter(lambda b: b != before))
    (folder / LEDGER_NAME).write_bytes(content)
    try:
        kinds = [e.kind for e in Ledger.open(folder).entries]
    except RunError:
        return
    # Only how JSON is spelled can change unnoticed, never what it says: 5.0 and 5e0, or a space.
    assert kinds == ["finalists", "opening"]


def test_a_line_taken_out_or_put_in_another_order_is_found(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    ledger.open_confirmation()
    ledger.close_confirmation({})
    path = tmp_path / LEDGER_NAME
    lines = path.read_bytes().splitlines(keepends=True)
    for wrong in (lines[1:], [lines[0], lines[2]], [lines[1], lines[0]], [lines[0], lines[0]]):
        path.write_bytes(b"".join(wrong))
        with pytest.raises(RunError, match="is not what was written"):
            Ledger.open(tmp_path)
    forged = json.loads(lines[0])
    forged["body"]["n"] = 9
    path.write_text(json.dumps(forged) + "\n")
    with pytest.raises(RunError, match="line 1"):
        Ledger.open(tmp_path)


def test_a_line_that_cannot_be_synced_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = opened(tmp_path)

    def full(descriptor: int) -> None:
        assert descriptor >= 0
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(RunError, match="No space left"):
            ledger.open_confirmation()
    assert [e.kind for e in ledger.entries] == ["finalists"]
    assert ledger.open_confirmation() == (1, 0.05)
