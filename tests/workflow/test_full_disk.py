from __future__ import annotations

import errno
import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from speedwell.core.errors import OutputError
from speedwell.workflow import full_disk as room
from speedwell.workflow.full_disk import full_disk

Usage = namedtuple("Usage", "total used free")


def free(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(room.shutil, "disk_usage", lambda _: Usage(1 << 30, (1 << 30) - number, number))


@pytest.mark.parametrize(
    ("left", "error", "taken"),
    [
        (1 << 30, "a shape is wrong", False),
        (1 << 30, str(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))), True),
        (1 << 30, "Error while serializing: I/O error: No space left on device (os error 28)", True),
        (1 << 30, f"OSError: [Errno {errno.EDQUOT}] {os.strerror(errno.EDQUOT)}", True),
        (1000, "the worker ended without an answer", True),
    ],
)
def test_a_failure_is_put_down_to_the_disk_where_it_is_full(tmp_path, monkeypatch, left, error, taken):
    free(monkeypatch, left)
    found = full_disk(tmp_path / "not" / "there", "the training", error, "speedwell train --resume it")
    assert (found is not None) == taken
    if found is not None:
        assert isinstance(found, OutputError)
        assert error in found.what
        assert found.fix.endswith("speedwell train --resume it")


def test_this_disk_is_not_full(tmp_path: Path):
    assert shutil.disk_usage(tmp_path).free > room.LEAST_FREE
    assert full_disk(tmp_path, "a worker", "anything", "") is None
