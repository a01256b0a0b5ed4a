"""The only places where a bundle touches the disk: written through to it, with fixed modes, never over a link."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import shutil
import stat
import sys
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from .layout import FILE_MODE, FOLDER_MODE

__all__ = [
    "copy_checked",
    "copy_file",
    "exchange",
    "make_folder",
    "open_plain",
    "remove_tree",
    "settle_tree",
    "sync_folder",
    "write_file",
]

_CHUNK = 1 << 20
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_RENAME_SWAP = 2
_NOT_SUPPORTED = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP})
"""What file systems without an atomic swap answer (NFS, some overlays)."""


def make_folder(folder: Path) -> None:
    """A new folder, mode 0755 whatever the umask. Raises ``OSError``."""
    os.mkdir(folder)
    os.chmod(folder, FOLDER_MODE)


def write_file(path: Path, data: bytes) -> None:
    """A new file with ``data``, mode 0644 whatever the umask, on disk when this returns. Raises ``OSError``."""
    with open(path, "xb") as file:
        file.write(data)
        _finish(file)


def copy_file(source: Path, target: Path) -> None:
    """A new file ``target`` with the content of ``source`` (a plain file), like ``write_file``."""
    with open_plain(source) as reader, open(target, "xb") as writer:
        shutil.copyfileobj(reader, writer, _CHUNK)
        _finish(writer)


def copy_checked(source: Path, target: Path, sha256: str) -> bool:
    """Copy what is hashed and hash what is copied, from one descriptor; False (and no ``target``) where it differs."""
    digest = hashlib.sha256()
    with open_plain(source) as reader, open(target, "xb") as writer:
        while chunk := reader.read(_CHUNK):
            digest.update(chunk)
            writer.write(chunk)
    if digest.hexdigest() == sha256:
        return True
    target.unlink()
    return False


def open_plain(path: Path) -> BufferedReader:
    """Open a regular file for reading, refusing links, pipes and devices. Raises ``OSError``."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is no regular file")
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def settle_tree(folder: Path) -> None:
    """What somebody else wrote under ``folder``, as if written here: fixed modes, on disk. Raises ``OSError``."""
    for path in folder.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(FOLDER_MODE)
        else:
            with open_plain(path) as file:
                os.fchmod(file.fileno(), FILE_MODE)
                os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Names in ``folder`` survive a power cut once this returns."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_tree(folder: Path) -> None:
    """Remove ``folder`` and all in it; links are removed, not followed. Nothing happens where it is not there."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def exchange(one: Path, other: Path) -> bool:
    """Swap two names in one atomic step; False where this system has no call for it. Raises ``OSError``."""
    libc = ctypes.CDLL(None, use_errno=True)
    first, second = os.fsencode(one), os.fsencode(other)
    if sys.platform.startswith("linux") and hasattr(libc, "renameat2"):
        failed = libc.renameat2(_AT_FDCWD, first, _AT_FDCWD, second, _RENAME_EXCHANGE)
    elif sys.platform == "darwin" and hasattr(libc, "renamex_np"):
        failed = libc.renamex_np(first, second, _RENAME_SWAP)
    else:
        return False
    if failed == 0:
        return True
    code = ctypes.get_errno()
    if code in _NOT_SUPPORTED:
        return False
    raise OSError(code, os.strerror(code), str(one))


def _finish(file: BinaryIO) -> None:
    file.flush()
    os.fchmod(file.fileno(), FILE_MODE)
    os.fsync(file.fileno())
