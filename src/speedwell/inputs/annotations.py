"""Boxes as an annotation file lists them, to ``Samples``: what is wrong in them is put right, or left out and told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np

from ..core.errors import CorruptSampleError, DataError, DataNotFoundError
from .decode import picture_size
from .folder import read_image
from .object_table import ObjectTable, rarest_classes
from .samples import BadSample, Samples, check_bad

__all__ = ["Annotations", "Pictures", "checked_size", "inside", "picture_samples"]

TOLERANCE = 1.0
"""Pixels by which a box may reach over the edge without a word: tools round, and count pixels from 0 or from 1."""


@dataclass(frozen=True, eq=False)
class Annotations:
    """``m`` boxes of ``n`` pictures, unchecked: ``picture`` int64 [m] says whose, ``boxes`` float64 [m,4] are x1, y1,
    x2, y2 in pixels, ``classes`` int64 [m], ``ignore`` bool [m]. ``origin(j)`` names box j for a person.
    """

    picture: np.ndarray
    boxes: np.ndarray
    classes: np.ndarray
    ignore: np.ndarray
    origin: Callable[[int], str]

    def table(self, sizes: np.ndarray) -> tuple[ObjectTable, list[str]]:
        """Objects by picture, each in its picture of ``sizes`` (int64 [n,2], height and width); and what was mended.

        Boxes with NaN or infinity, without area or wholly outside are left out; what reaches outside is cut off.
        """
        warnings: list[str] = []
        edges = sizes[self.picture][:, [1, 0, 1, 0]].astype(np.float64)
        finite = np.isfinite(self.boxes).all(1)
        boxes = np.where(finite[:, None], self.boxes, 0.0)
        empty = finite & ~(boxes[:, 2:] > boxes[:, :2]).all(1)
        outside = finite & ~empty & ((boxes[:, 2:] <= 0) | (boxes[:, :2] >= edges[:, 2:])).any(1)
        cut = np.clip(boxes, 0, edges)
        over = finite & ~empty & ~outside & (np.abs(boxes - cut) > TOLERANCE).any(1)
        box = cut.astype(np.float32)
        empty |= finite & ~outside & ~(box[:, 2:] > box[:, :2]).all(1)
        self._tell(warnings, ~finite, sizes, "with NaN or infinity are left out")
        self._tell(warnings, empty, sizes, "without width or height are left out")
        self._tell(warnings, outside, sizes, "lie wholly outside the picture and are left out")
        self._tell(warnings, over & ~empty, sizes, "reach outside the picture and are cut at its edge")
        good = np.flatnonzero(finite & ~empty & ~outside)
        good = good[np.argsort(self.picture[good], kind="stable")]
        counts = np.bincount(self.picture[good], minlength=len(sizes))
        windows = np.zeros((len(sizes), 4))
        windows[:, 2:] = sizes[:, ::-1]
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return ObjectTable(box[good], self.classes[good], self.ignore[good], offsets, sizes, windows), warnings

    def of_pictures(self, place: Sequence[int]) -> Annotations:
        """With picture i called ``place[i]``, which may repeat."""
        return replace(self, picture=np.asarray(place, np.int64)[self.picture])

    def _tell(self, warnings: list[str], which: np.ndarray, sizes: np.ndarray, what: str) -> None:
        if not which.any():
            return
        j = int(np.flatnonzero(which)[0])
        height, width = sizes[self.picture[j]].tolist()
        values = ", ".join(f"{v:g}" for v in self.boxes[j].tolist())
        warnings.append(
            f"{int(which.sum())} box(es) {what}, for example x1, y1, x2, y2 = {values} "
            f"in a picture of {width}x{height} ({self.origin(j)})"
        )


@dataclass(frozen=True, eq=False)
class Pictures:
    """The pictures of an annotation file that are there: ``kept`` their numbers in the file's list, in order,
    ``files``, ``sizes`` int64 [n,2] (height, width), and those that are not, ``bad``.
    """

    kept: np.ndarray
    files: tuple[Path, ...]
    sizes: np.ndarray
    bad: tuple[BadSample, ...]

    @staticmethod
    def find(
        names: Sequence[str], files: Sequence[Path], sizes: Sequence[tuple[int, int] | None], where: str
    ) -> Pictures:
        """Look which of ``files`` exist. A size that the annotations do not say is read from the file's header.

        Raises ``DataNotFoundError`` where none is there, ``CorruptSampleError`` where too many are missing.
        """
        kept, known, bad = [], [], []
        there = 0
        for i, (name, file, size) in enumerate(zip(names, files, sizes, strict=True)):
            if not file.is_file():
                bad.append(BadSample(name, "there is no such picture"))
                continue
            there += 1
            if size is None:
                try:
                    size = picture_size(file)
                except CorruptSampleError as error:
                    bad.append(BadSample(name, error.what))
                    continue
            kept.append(i)
            known.append(size)
        if not there:
            raise DataNotFoundError(
                f"none of the {len(names)} pictures of {where} is there, for example {files[0] if files else 'none'}",
                "Put the pictures beside the annotations, or name their folder.",
            )
        check_bad(bad, len(names))
        return Pictures(
            np.array(kept, np.int64),
            tuple(files[i] for i in kept),
            np.array(known, np.int64).reshape(-1, 2),
            tuple(bad),
        )

    def load(self, i: int) -> bytes:
        """Picture ``i``, encoded. Raises as ``checked_size`` does."""
        data: bytes = checked_size(read_image(self.files[i]), self.sizes[i])
        return data


def checked_size(raw: Any, said: np.ndarray) -> Any:
    """The picture ``raw``. Raises ``CorruptSampleError`` where it has another size than the annotations say: boxes
    would lie elsewhere (a photo whose EXIF rotation was applied before it was annotated, for instance).
    """
    have, wanted = picture_size(raw), tuple(said.tolist())
    if have != wanted:
        raise CorruptSampleError(
            f"the annotations are of a picture of {wanted[1]}x{wanted[0]}, it has {have[1]}x{have[0]}"
            + (" (stored rotated?)" if have == wanted[::-1] else ""),
            "Annotate the pixels as they are stored; EXIF rotation is not applied.",
        )
    return raw


def picture_samples(
    load: Callable[[int], Any],
    origins: Sequence[str],
    sizes: np.ndarray,
    marked: Annotations,
    classes: Sequence[str],
    where: str,
    bad: Sequence[BadSample] = (),
    warnings: Sequence[str] = (),
) -> Samples:
    """Samples of pictures of ``sizes`` with what is ``marked`` in them.

    Raises ``DataError`` where there is no picture, or not one box that can be used.
    """
    if not len(sizes):
        raise DataError(f"{where} lists no picture", "Give pictures with boxes.")
    table, mended = marked.table(sizes)
    if not len(table.boxes):
        raise DataError(
            f"{where} holds no box that can be used in {len(sizes)} picture(s)" + (f"; {mended[0]}" if mended else ""),
            "Boxes are in pixels; give at least one object.",
        )
    targets = rarest_classes(table, len(classes))
    return Samples(load, targets, origins, classes, bad, [*warnings, *mended], table)


def inside(folder: Path, name: str, where: str) -> Path:
    """``folder / name``. Raises ``DataError`` where the name, which an annotation file gives, leads outside."""
    plain = name.replace("\\", "/")
    leaves = plain.startswith("/") or bool(PureWindowsPath(name).drive) or ".." in plain.split("/") or "\0" in plain
    if leaves or not plain.strip("/. "):
        raise DataError(
            f"{where} names the picture {name!r}, which leads outside the folder of pictures",
            "Write names relative to that folder, without '..'.",
        )
    return folder / plain
