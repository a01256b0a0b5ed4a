from __future__ import annotations

import pytest

from speedwell.core.errors import UsageError
from speedwell.tasks.reference import resolve


def test_modules_files_and_callables_are_resolved(tmp_path, monkeypatch):
    import json
    import sys

    assert resolve("json:dumps", "score") is json.dumps
    assert resolve(len, "score") is len
    (tmp_path / "mine_score.py").write_text("class A:\n    @staticmethod\n    def f(): return 7\n")
    assert resolve(f"{tmp_path}/mine_score.py:A.f", "score")() == 7
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    assert resolve("mine_score:A.f", "score")() == 7


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("json", "score is 'json'"),
        ("json:nothing", "no function 'nothing' for score"),
        ("no_such_module_here:f", "cannot import no_such_module_here for score"),
        ("nowhere.py:f", "there is no nowhere.py"),
    ],
)
def test_what_cannot_be_found_is_told(reference, told):
    with pytest.raises(UsageError, match=told):
        resolve(reference, "score")


def test_a_file_that_fails_says_with_what(tmp_path):
    (tmp_path / "bad.py").write_text("1 / 0")
    with pytest.raises(UsageError, match="ZeroDivisionError"):
        resolve(f"{tmp_path}/bad.py:f", "score")
