"""``Objects``: what a picture shows and where, as a record; and pure functions that move, clip and choose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..core.errors import DataError, LabelMismatchError

__all__ = ["Objects"]

Window = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Objects:
    """The ``k`` objects of one picture. Arrays are not to be written to.

    ``boxes``: float32 [k,4], x1, y1, x2, y2 in pixels; x2 and y2 are exclusive edges, coordinates are continuous (the
    first pixel reaches from 0 to 1), x1 <= x2, y1 <= y2. Pixels of the picture as it is, or of the network's input
    after ``Transform.place``.
    ``classes``: int64 [k], at least 0. ``ignore``: bool [k], a crowd or a difficult object: neither a miss nor a false
    alarm. ``size``: height and width of the original picture. ``window``: where the picture lies, as a box: (0, 0,
    width, height) raw, inside the network's input after ``Transform.place``.
    Raises ``DataError`` for arrays of another shape or type, NaN, infinity or a box whose edges are the wrong way
    round, ``LabelMismatchError`` for a class below 0.
    """

    boxes: np.ndarray
    classes: np.ndarray
    ignore: np.ndarray
    size: tuple[int, int]
    window: Window

    def __post_init__(self) -> None:
        k = len(self.boxes)
        for name, shape, dtype in (("boxes", (k, 4), "float32"), ("classes", (k,), "int64"), ("ignore", (k,), "bool")):
            array = getattr(self, name)
            if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype != dtype:
                have = f"{array.dtype} {list(array.shape)}" if isinstance(array, np.ndarray) else type(array).__name__
                raise DataError(f"{name} of {k} object(s) are {have}", f"Give {dtype} {list(shape)}: Objects.of(...).")
        height, width = self.size
        if height < 1 or width < 1:
            raise DataError(f"a picture with objects is {height}x{width}", "Give height and width in pixels.")
        if not np.isfinite(self.window).all() or self.window[2] <= self.window[0] or self.window[3] <= self.window[1]:
            raise DataError(f"the window of a picture is {self.window}", "Give x1 < x2 and y1 < y2.")
        if not k:
            return
        wrong = ~np.isfinite(self.boxes).all(1) | (self.boxes[:, 2:] < self.boxes[:, :2]).any(1)
        if wrong.any():
            at = int(np.flatnonzero(wrong)[0])
            raise DataError(
                f"the box of object {at} is {self.boxes[at].tolist()}",
                "Give x1, y1, x2, y2 in pixels, x1 <= x2, y1 <= y2.",
            )
        if self.classes.min() < 0:
            raise LabelMismatchError(f"an object has the class {self.classes.min()}", "Class numbers start at 0.")

    @staticmethod
    def of(
        boxes: Any,
        classes: Any,
        size: tuple[int, int],
        ignore: Any = None,
        window: Window | None = None,
    ) -> Objects:
        """``Objects`` from anything that numpy takes; ``ignore`` is False and ``window`` the whole picture by default.

        Raises as the record itself does, ``DataError`` also for class numbers that are not whole.
        """
        numbers = np.asarray(classes)
        if numbers.size and numbers.dtype.kind not in "iu":
            raise DataError(f"the classes of objects are {numbers.dtype}", "Give whole class numbers from 0.")
        k = len(numbers)
        size = (int(size[0]), int(size[1]))
        return Objects(
            np.ascontiguousarray(boxes, np.float32).reshape(-1, 4) if k == 0 else np.ascontiguousarray(boxes, "f4"),
            np.ascontiguousarray(numbers, np.int64),
            np.zeros(k, bool) if ignore is None else np.ascontiguousarray(ignore, bool),
            size,
            window or (0.0, 0.0, float(size[1]), float(size[0])),
        )

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def areas(self) -> np.ndarray:
        """Pixels (float64 [k]) inside each box."""
        edges = self.boxes.astype(np.float64)
        areas: np.ndarray = (edges[:, 2] - edges[:, 0]) * (edges[:, 3] - edges[:, 1])
        return areas

    def take(self, index: Sequence[int] | np.ndarray) -> Objects:
        """The objects in ``index`` (numbers, or a bool [k]), in that order."""
        index = np.asarray(index)
        index = index if index.dtype == bool else index.astype(np.int64)
        return replace(self, boxes=self.boxes[index], classes=self.classes[index], ignore=self.ignore[index])

    def numbered(self, order: np.ndarray) -> Objects:
        """With class c called ``order[c]`` (int64)."""
        return replace(self, classes=order[self.classes].astype(np.int64))

    def moved(self, scale: tuple[float, float], offset: tuple[float, float]) -> Objects:
        """Boxes and window times ``scale`` (x, y; above 0) plus ``offset`` (x, y), in float64 and rounded once."""
        factor, shift = np.array([*scale, *scale], np.float64), np.array([*offset, *offset], np.float64)
        boxes = (self.boxes.astype(np.float64) * factor + shift).astype(np.float32)
        x1, y1, x2, y2 = (np.asarray(self.window) * factor + shift).tolist()
        return replace(self, boxes=boxes, window=(x1, y1, x2, y2))

    def clipped(self, window: Window | None = None, keep: float = 0.0) -> Objects:
        """Boxes cut at ``window`` (default: the picture's own; the record's is left as it is).

        An object stays where more than ``keep`` (0..1) of its area is left: with 0, all that are not wholly outside.
        """
        x1, y1, x2, y2 = window or self.window
        low, high = np.array([x1, y1, x1, y1], np.float32), np.array([x2, y2, x2, y2], np.float32)
        cut = replace(self, boxes=np.clip(self.boxes, low, high))
        return cut.take(cut.areas > keep * self.areas)

    def same(self, other: Objects) -> bool:
        """Whether both say the same of one picture; the order of objects does not matter."""
        if self.size != other.size or len(self) != len(other):
            return False
        mine, theirs = (
            np.column_stack([o.boxes.astype(np.float64), o.classes, o.ignore]) for o in (self, other)
        )  # classes are far below 2^53
        return bool(np.array_equal(mine[np.lexsort(mine.T)], theirs[np.lexsort(theirs.T)]))
