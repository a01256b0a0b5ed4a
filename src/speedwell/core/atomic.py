"""Write a file, or a folder, whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .errors import OutputError

__all__ = ["sync_folder", "whole_folder", "write_atomic"]


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


@contextlib.contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A new folder beside ``folder`` to be filled. It takes that name, and the place of what lies there, once the block
    ends well; else it goes. For one writer at a time; a power cut may lose what the system had not written yet.
    """
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True, mode=0o700)
    try:
        yield part
        if folder.exists():
            old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
            folder.rename(old)
            part.rename(folder)
            shutil.rmtree(old)
        else:
            part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def sync_folder(folder: Path) -> None:
    """Make the folder's entries survive a power cut (a new name is an entry)."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
