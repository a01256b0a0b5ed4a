"""sha256 of files, folders and arrays. A folder's digest covers every file's relative path and content, by name."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

__all__ = ["array_digest", "bytes_digest", "path_digest"]


def bytes_digest(data: bytes) -> str:
    """sha256 (hex) of ``data``."""
    return hashlib.sha256(data).hexdigest()


def array_digest(array: np.ndarray) -> str:
    """sha256 (hex) over dtype, shape and content."""
    h = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    h.update(np.ascontiguousarray(array).tobytes())
    return h.hexdigest()


def path_digest(path: Path) -> str:
    """sha256 (hex) of a file's content, or of a folder's files with their relative names."""
    if path.is_file():
        with path.open("rb") as f:
            return hashlib.file_digest(f, "sha256").hexdigest()
    h = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        h.update(file.relative_to(path).as_posix().encode() + b"\0" + bytes.fromhex(path_digest(file)))
    return h.hexdigest()
