from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from speedwell.bundle.files import copy_checked, copy_file, exchange, open_plain, remove_tree, write_file
from speedwell.core.digest import bytes_digest


def test_files_are_new_and_have_one_mode(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_file(tmp_path / "a", b"x")
        copy_file(tmp_path / "a", tmp_path / "b")
    finally:
        os.umask(before)
    assert {stat.S_IMODE((tmp_path / n).stat().st_mode) for n in "ab"} == {0o644}
    with pytest.raises(FileExistsError):
        write_file(tmp_path / "a", b"y")
    assert (tmp_path / "b").read_bytes() == b"x"


def test_only_plain_files_are_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "", "missing"):
        with pytest.raises(OSError, match=r".+"):
            open_plain(tmp_path / name)
    with open_plain(tmp_path / "file") as file:
        assert file.read() == b"x"


def test_a_copy_is_kept_only_where_its_hash_fits(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 3_000_000)
    assert copy_checked(tmp_path / "a", tmp_path / "b", bytes_digest(b"x" * 3_000_000))
    assert not copy_checked(tmp_path / "a", tmp_path / "c", bytes_digest(b"y"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]


def test_two_folders_swap_names(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text("")
    swapped = exchange(tmp_path / "one", tmp_path / "two")
    assert swapped == (tmp_path / "one" / "two").exists()
    assert swapped or not sys.platform.startswith("linux")
    with pytest.raises(FileNotFoundError):
        exchange(tmp_path / "one", tmp_path / "missing")


def test_removing_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    remove_tree(tmp_path / "link")
    remove_tree(tmp_path / "missing")
    assert (tmp_path / "kept" / "file").exists()
    assert not (tmp_path / "link").exists()
    remove_tree(tmp_path / "kept")
    assert list(tmp_path.iterdir()) == []
