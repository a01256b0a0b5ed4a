"""``Rows``: a ``.npy`` file by rows: a small one is mapped into memory, a large one is read where it is asked for."""

from __future__ import annotations

import os
import weakref
from collections.abc import Sequence
from pathlib import Path

import numpy as np

__all__ = ["MAPPED_MOST", "Rows"]

MAPPED_MOST = 64 << 20
"""Bytes of a file that is mapped. Pages that a process has met in a mapped file count as its own, and how many the
system adds around each is its choice (on ext4 up to 2 MB a touch): mapped, a data set would weigh all it has. A read
costs a call a row more, and holds nothing.
"""


class Rows:
    """Read-only, first axis = row. ``shape``, ``dtype``: of the whole. For many threads and forked processes at once.

    ``most``: bytes up to which the file is mapped.
    """

    def __init__(self, path: Path, most: int = MAPPED_MOST) -> None:
        with path.open("rb") as f:
            version = np.lib.format.read_magic(f)
            read_header = (
                np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            )
            self.shape, fortran, self.dtype = read_header(f)
            self._start = f.tell()
        size = int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize
        if not self.shape or fortran or self.dtype.hasobject:
            raise ValueError(f"{path.name} holds no rows")
        if os.path.getsize(path) < self._start + size:
            raise ValueError(f"{path.name} is cut off")
        self._opened = path, most
        self._row = size // max(1, self.shape[0])
        self._array: np.ndarray | None = None
        if size <= most or not hasattr(os, "preadv"):
            # an empty file cannot be mapped
            self._array = np.load(path, mmap_mode="r" if size else None, allow_pickle=False)
        else:
            self._file = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
            weakref.finalize(self, os.close, self._file)

    def __reduce__(self) -> tuple[type[Rows], tuple[Path, int]]:
        return type(self), self._opened  # the number of an open file means nothing in another process

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, i: int | slice) -> np.ndarray:
        """Row ``i``, or a stretch of rows (step 1)."""
        if self._array is not None:
            part: np.ndarray = self._array[i]
            return part
        if isinstance(i, slice):
            first, last, step = i.indices(len(self))
            assert step == 1, "rows are read in stretches"
            out = np.empty((max(0, last - first), *self.shape[1:]), self.dtype)
        else:
            first = range(len(self))[i]
            out = np.empty(self.shape[1:], self.dtype)
        self._read(out, first)
        return out

    def gather(self, index: Sequence[int] | np.ndarray) -> np.ndarray:
        """A new array of the rows in ``index``, which are within 0..len-1, in that order."""
        if self._array is not None:
            rows: np.ndarray = self._array[np.asarray(index, np.int64)]
            return rows
        out = np.empty((len(index), *self.shape[1:]), self.dtype)
        for place, i in enumerate(np.asarray(index, np.int64).tolist()):
            self._read(out[place, ...], range(len(self))[i])
        return out

    def _read(self, out: np.ndarray, first: int) -> None:
        """Fill ``out`` from row ``first`` on."""
        left = out.reshape(-1).view(np.uint8).data if out.size else memoryview(b"")
        at = self._start + first * self._row
        while left:
            done = os.preadv(self._file, [left], at)
            if done <= 0:
                raise OSError(f"row {first} could not be read: the file has become shorter")
            left, at = left[done:], at + done
