from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from speedwell.core.atomic import write_atomic
from speedwell.core.errors import OutputError


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_write_that_fails_keeps_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old")

    def fail(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, f"full, {len(arguments)}")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(OutputError, match="cannot write"):
            write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
