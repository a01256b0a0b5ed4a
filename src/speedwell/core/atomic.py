"""Write a file whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from .errors import OutputError

__all__ = ["sync_folder", "write_atomic"]


def write_atomic(path: Path, data: bytes) -> None:
    """``path`` holds what it held or ``data``, after any crash. Raises ``OutputError``; leaves no rest behind."""
    temporary = ""
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(FileNotFoundError):
            if temporary:
                os.unlink(temporary)
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}", "Free space there, or choose another place."
        ) from error


def sync_folder(folder: Path) -> None:
    """Make the folder's entries survive a power cut (a new name is an entry)."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
