"""What a detector found in each image and which of it is right, as flat arrays: all that average precision needs."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .ranking import Ranking

__all__ = ["LEVELS", "Matches"]

LEVELS = np.linspace(0.5, 0.95, 10)
"""The IoU levels of AP: 0.50, 0.55, ..., 0.95."""
DTYPES = {
    "levels": "float64", "order": "int64", "starts": "int64", "scores": "float32", "labels": "int32", "hits": "uint16",
    "ignored": "uint16", "boxes": "float32", "object_starts": "int64", "objects": "int32",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Matches:
    """Of n images. Detections lie image after image, best first in each: those of image i are
    ``starts[i]:starts[i + 1]``; objects likewise by ``object_starts``.

    ``levels``: float64 [t], the IoU levels, t <= 16. ``order``: int64 [n], an image's rank among equal scores: its
    place in the data, which a resample keeps, so that the order of a resample does not matter. ``scores``: float32
    [d], ``labels``: int32 [d] class numbers. ``hits``: uint16 [d], bit t: it is the match of an object at level t.
    ``ignored``: uint16 [d], bit t: it lies on a crowd or a difficult object and counts neither way. ``boxes``: float32
    [d, 4] in input pixels, or [0, 4] where they were left out. ``objects``: int32 [g], class of each that counts.
    """

    levels: np.ndarray
    order: np.ndarray
    starts: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    hits: np.ndarray
    ignored: np.ndarray
    boxes: np.ndarray
    object_starts: np.ndarray
    objects: np.ndarray

    def __len__(self) -> int:
        return len(self.order)

    @functools.cached_property
    def ranking(self) -> Ranking:
        """The detections ranked, once: what ``average_precision`` counts on."""
        image = np.repeat(np.arange(len(self)), np.diff(self.starts))
        objects = np.repeat(np.arange(len(self)), np.diff(self.object_starts)), self.objects
        return Ranking.of(
            self.order, image, self.scores, self.labels, self.hits, self.ignored, objects, len(self.levels)
        )

    def average_precision(self, index: Sequence[int] | np.ndarray | None = None) -> float:
        """AP over ``levels`` in 0..1, on all images or on those of ``index`` (may repeat); 0 without any object."""
        return self.ranking.average(index)

    def objects_per_class(self, index: Sequence[int] | np.ndarray | None = None) -> np.ndarray:
        """int64 [classes]: objects that count, of each class up to the highest that is there."""
        times = np.ones(len(self), np.int64) if index is None else np.bincount(index, minlength=len(self))
        each = np.repeat(times, np.diff(self.object_starts))
        counts: np.ndarray = np.bincount(self.objects, each).astype(np.int64)
        return counts

    def image(self, i: int) -> Matches:
        """Those of one image."""
        return self.take(np.array([i]))

    def take(self, index: Sequence[int] | np.ndarray) -> Matches:
        """Those of the images in ``index`` (may repeat), in that order."""
        index = np.asarray(index, np.int64)
        starts, rows = _rows(self.starts, index)
        object_starts, object_rows = _rows(self.object_starts, index)
        return Matches(
            self.levels, self.order[index], starts, self.scores[rows], self.labels[rows], self.hits[rows],
            self.ignored[rows], self.boxes[rows] if len(self.boxes) else self.boxes, object_starts,
            self.objects[object_rows],
        )  # fmt: skip

    def without_boxes(self) -> Matches:
        """All but where the detections lie: enough for every number, and nothing of the picture."""
        return replace(self, boxes=np.zeros((0, 4), np.float32))

    @staticmethod
    def join(parts: Sequence[Matches]) -> Matches:
        """Several parts of one model's, end to end. ``parts`` must not be empty."""
        order, first = [], 0
        for part in parts:
            order.append(part.order + first)
            first += int(part.order.max(initial=-1)) + 1

        def flat(name: str) -> np.ndarray:
            return np.concatenate([getattr(p, name) for p in parts])

        def ends(name: str) -> np.ndarray:
            return np.concatenate([[0], np.cumsum(np.concatenate([np.diff(getattr(p, name)) for p in parts]))])

        return Matches(
            parts[0].levels, np.concatenate(order), ends("starts"), flat("scores"), flat("labels"), flat("hits"),
            flat("ignored"), flat("boxes"), ends("object_starts"), flat("objects"),
        )  # fmt: skip

    def arrays(self) -> dict[str, np.ndarray]:
        """By field: what ``of_arrays`` reads back."""
        return {name: getattr(self, name) for name in DTYPES}

    @staticmethod
    def of_arrays(arrays: Mapping[str, np.ndarray]) -> Matches:
        """Raises ``KeyError`` for a field that is missing, ``ValueError`` where the arrays do not fit together."""
        found = {name: np.asarray(arrays[name]) for name in DTYPES}
        for name, dtype in DTYPES.items():
            if found[name].dtype != dtype or found[name].ndim != (2 if name == "boxes" else 1):
                raise ValueError(f"{name} of matches are {found[name].dtype} {list(found[name].shape)}")
        made = Matches(**found)
        n, d = len(made.order), len(made.scores)
        for name, total in (("starts", d), ("object_starts", len(made.objects))):
            ends = found[name]
            if len(ends) != n + 1 or ends[0] != 0 or ends[-1] != total or (np.diff(ends) < 0).any():
                raise ValueError(f"the {name} of matches do not divide {total} entries among {n} images")
        if not len(made.labels) == len(made.hits) == len(made.ignored) == d or made.boxes.shape[1] != 4:
            raise ValueError("the arrays of matches have different lengths")
        if len(made.boxes) not in (0, d) or not 0 < len(made.levels) <= 16:
            raise ValueError(f"{len(made.boxes)} boxes of {d} detections at {len(made.levels)} levels")
        if not np.isfinite(made.scores).all() or min(made.labels.min(initial=0), made.objects.min(initial=0)) < 0:
            raise ValueError("matches hold a score that is not finite or a class below 0")
        return made


def _rows(starts: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the stretches of ``index`` start when laid end to end, and the entry that each place takes."""
    lengths = np.diff(starts)[index]
    ends = np.concatenate([[0], np.cumsum(lengths)])
    return ends, np.arange(ends[-1]) + np.repeat(starts[index] - ends[:-1], lengths)
