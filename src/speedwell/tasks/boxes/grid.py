"""Anchor-free grids (FCOS, our own detector): distances from each cell's centre to four edges, a logit per class."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...core.errors import JobError, UsageError
from .detections import Detections
from .head import Head, Outputs, Quota, best_of, centres, logit, sigmoid

__all__ = ["Grid"]


@dataclass(frozen=True)
class Grid(Head):
    """``boxes`` [N,A,4]: left, top, right, bottom >= 0 in strides; ``scores`` [N,A,C]: logits. ``size``: height and
    width of the input; ``strides`` ascending; A = cells of all levels, level by level, each row by row.
    """

    style: ClassVar[str] = "grid"
    roles: ClassVar = {"boxes": ("boxes",), "scores": ("scores",)}

    size: tuple[int, int] = (0, 0)
    strides: tuple[int, ...] = (8, 16, 32)

    def __post_init__(self) -> None:
        if not self.strides or any(s < 1 or side % s for s in self.strides for side in self.size):
            raise UsageError(
                f"strides are {list(self.strides)} on an input of {self.size[0]}x{self.size[1]}",
                "Give strides that divide both sides.",
            )

    def candidates(self, outputs: Outputs, count: int, quota: Quota) -> list[Detections]:
        boxes = self.array(outputs, "boxes", count, 4)
        scores = self.array(outputs, "scores", count)
        points, strides = self._cells
        if not boxes.shape[1] == scores.shape[1] == len(points):
            raise JobError(
                f"{boxes.shape[1]} boxes and {scores.shape[1]} rows of scores, but {len(points)} cells at strides "
                f"{list(self.strides)} on {self.size[0]}x{self.size[1]}",
                "Give the strides and the input size that the network was made for.",
                kind="wrong shape",
            )
        return [self._one(b, s, points, strides, quota) for b, s in zip(boxes, scores, strict=True)]

    def classes(self, outputs: Outputs) -> int:
        return int(np.asarray(self.output(outputs, "scores")).shape[-1])

    def _one(
        self, boxes: np.ndarray, logits: np.ndarray, points: np.ndarray, strides: np.ndarray, quota: Quota
    ) -> Detections:
        chosen = best_of(logits.ravel(), logit(quota.score), quota.candidates)
        cell, label = np.divmod(chosen, logits.shape[1])
        reach = boxes[cell].astype(np.float64) * strides[cell, None]
        found = np.concatenate([points[cell] - reach[:, :2], points[cell] + reach[:, 2:]], axis=1)
        return Detections.best(found, sigmoid(logits.ravel()[chosen]), label, quota.candidates)

    @functools.cached_property
    def _cells(self) -> tuple[np.ndarray, np.ndarray]:
        return centres(self.strides, self.size, 0.5)
