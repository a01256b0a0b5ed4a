from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from speedwell.core.atomic import whole_folder, write_atomic
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


def test_a_folder_appears_whole_and_replaces_an_older_one(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "folder"
    for content in ("old", "new"):
        with whole_folder(folder) as part:
            (part / content).write_text(content)
            assert not (folder / content).exists()
        assert [p.name for p in folder.iterdir()] == [content]
        assert [p.name for p in folder.parent.iterdir()] == ["folder"]


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt])
def test_a_folder_whose_filling_fails_keeps_the_old_content(tmp_path: Path, kind: type[BaseException]) -> None:
    folder = tmp_path / "folder"
    with whole_folder(folder) as part:
        (part / "old").write_text("old")

    def fill() -> None:
        with whole_folder(folder) as part:
            (part / "new").write_text("half of it")
            raise kind

    with pytest.raises(kind):
        fill()
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]
    assert [p.name for p in folder.iterdir()] == ["old"]
