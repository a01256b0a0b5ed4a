"""``ObjectTable``: the objects of many pictures in flat arrays, in memory or memory-mapped from a folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np

from ..core.errors import DataError
from .objects import Objects

__all__ = ["ObjectTable", "rarest_classes"]

FILES = {"boxes": "float32", "classes": "int64", "ignore": "bool", "offsets": "int64", "sizes": "int64",
         "windows": "float64"}  # fmt: skip


@dataclass(frozen=True, eq=False)
class ObjectTable(Sequence[Objects]):
    """A sequence of ``Objects``; those of picture i are the rows ``offsets[i]`` to ``offsets[i + 1]``.

    ``boxes`` float32 [m,4], ``classes`` int64 [m], ``ignore`` bool [m], ``offsets`` int64 [n+1], ``sizes`` int64 [n,2]
    (height, width), ``windows`` float64 [n,4].
    """

    boxes: np.ndarray
    classes: np.ndarray
    ignore: np.ndarray
    offsets: np.ndarray
    sizes: np.ndarray
    windows: np.ndarray

    @staticmethod
    def of(pictures: Iterable[Objects]) -> ObjectTable:
        """The table of ``pictures``, in their order."""
        every = list(pictures)
        counts = [len(o) for o in every]
        return ObjectTable(
            np.concatenate([np.zeros((0, 4), np.float32), *(o.boxes for o in every)]),
            np.concatenate([np.zeros(0, np.int64), *(o.classes for o in every)]),
            np.concatenate([np.zeros(0, bool), *(o.ignore for o in every)]),
            np.cumsum([0, *counts], dtype=np.int64),
            np.array([o.size for o in every], np.int64).reshape(-1, 2),
            np.array([o.window for o in every], np.float64).reshape(-1, 4),
        )

    def __len__(self) -> int:
        return len(self.sizes)

    @overload
    def __getitem__(self, i: int) -> Objects: ...
    @overload
    def __getitem__(self, i: slice) -> Sequence[Objects]: ...
    def __getitem__(self, i: int | slice) -> Objects | Sequence[Objects]:
        if isinstance(i, slice):
            return [self[k] for k in range(*i.indices(len(self)))]
        if not -len(self) <= i < len(self):
            raise IndexError(f"picture {i} of {len(self)}")
        i = int(i) % len(self)
        rows = slice(int(self.offsets[i]), int(self.offsets[i + 1]))
        height, width = self.sizes[i].tolist()
        x1, y1, x2, y2 = self.windows[i].tolist()
        return Objects(self.boxes[rows], self.classes[rows], self.ignore[rows], (height, width), (x1, y1, x2, y2))

    def save(self, folder: Path) -> None:
        """Write ``objects.<array>.npy`` into ``folder``."""
        for name, dtype in FILES.items():
            np.save(folder / f"objects.{name}.npy", np.ascontiguousarray(getattr(self, name), dtype))

    @staticmethod
    def open(folder: Path) -> ObjectTable:
        """What ``save`` wrote, memory-mapped where it is not empty. Raises ``DataError`` where it does not fit."""
        arrays = {}
        for name, dtype in FILES.items():
            path = folder / f"objects.{name}.npy"
            try:
                array = np.load(path, mmap_mode="r", allow_pickle=False)
            except (OSError, ValueError, EOFError) as error:
                if name not in ("boxes", "classes", "ignore") or not path.is_file():
                    raise DataError(f"cannot read {path}: {error}", "Delete the folder and run again.") from error
                array = _empty(path)
            if array.dtype != dtype:
                raise DataError(f"{path} holds {array.dtype}, not {dtype}", "Delete the folder and run again.")
            arrays[name] = array
        table = ObjectTable(**arrays)
        n, m = len(table.sizes), len(table.boxes)
        offsets = table.offsets
        whole = (
            table.sizes.shape == (n, 2) and table.windows.shape == (n, 4) and offsets.shape == (n + 1,)
            and int(offsets[0]) == 0 and int(offsets[-1]) == m and bool((np.diff(offsets) >= 0).all())
            and table.boxes.shape == (m, 4) and table.classes.shape == (m,) and table.ignore.shape == (m,)
        )  # fmt: skip
        if not whole:
            raise DataError(f"the objects in {folder} are damaged: counts disagree", "Delete the folder and run again.")
        return table


def _empty(path: Path) -> np.ndarray:
    """An array without rows, which cannot be mapped."""
    try:
        array: np.ndarray = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"cannot read {path}: {error}", "Delete the folder and run again.") from error
    return array


def rarest_classes(table: ObjectTable, count: int) -> np.ndarray:
    """int64 [n]: of each picture the class of its object that is rarest over all; ``count`` where it shows none.

    Splits are stratified by it, so that the few objects of a rare class reach every split. Ignored objects do not
    count; of equally rare classes the lower number is taken.
    """
    seen = ~np.asarray(table.ignore)
    classes = np.asarray(table.classes)[seen]
    picture = np.repeat(np.arange(len(table)), np.diff(table.offsets))[seen]
    often = np.bincount(classes, minlength=count)
    rank = np.empty(len(often) + 1, np.int64)
    order = np.lexsort((np.arange(len(often)), often))
    rank[order] = np.arange(len(often))
    best = np.full(len(table), len(often), np.int64)
    np.minimum.at(best, picture, rank[classes])
    return np.append(order, count)[best]
