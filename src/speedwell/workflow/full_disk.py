"""What to say where something failed only because the disk is full: libraries tell it in many ways."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from ..core.errors import OutputError

__all__ = ["full_disk"]

LEAST_FREE = 1 << 20
"""Bytes; with less, whatever failed is taken to have failed for it."""
SAID = tuple(os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT))
"""The system's words: libraries that are not Python's hand on nothing else, and half-written files, removed since, may
have left room again.
"""


def full_disk(folder: Path, what: str, error: str, resume: str) -> OutputError | None:
    """The error to raise instead of one that says ``error``, because the disk that holds ``folder`` is full; None where
    it is not. ``what`` failed; ``resume``: the command that goes on.
    """
    there = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(there).free
    if free >= LEAST_FREE and not any(words in error for words in SAID):
        return None
    return OutputError(
        f"the disk that holds {folder} is full ({free / 1e3:,.0f} kB free), so {what} failed: {error}",
        f"Make room, then go on: {resume}",
    )
