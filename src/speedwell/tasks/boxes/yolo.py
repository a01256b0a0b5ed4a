"""The YOLO family: one tensor with a row per place, four numbers of a box and a score per class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from ...core.errors import JobError, UsageError
from .detections import Detections
from .head import Head, Outputs, Quota, best_of, centres, checked, corners, logit, scaled, sigmoid

__all__ = ["Yolo"]


@dataclass(frozen=True)
class Yolo(Head):
    """[N, A, 4 + C] (``objectness``: 4 + 1 + C), or with the last two axes swapped, which ``transposed`` says, or
    where None the shape: there are more places than numbers of one. The defaults read YOLOv8 to v11; v5 to v7 have
    ``objectness``.

    ``boxes``: "cxcywh" or "xyxy"; ``normalized``: in shares of ``size`` = (height, width) instead of pixels.
    ``decoded`` False: as YOLOX gives them: offsets from a cell's corner and logarithms of width and height, both in
    strides. ``scores``: "probability" or "logit"; with objectness a score is the product of both probabilities.
    """

    style: ClassVar[str] = "yolo"
    roles: ClassVar = {"output": ("output", "output0", "predictions")}

    size: tuple[int, int] = (0, 0)
    objectness: bool = False
    boxes: Literal["cxcywh", "xyxy"] = "cxcywh"
    normalized: bool = False
    decoded: bool = True
    scores: Literal["probability", "logit"] = "probability"
    transposed: bool | None = None
    strides: tuple[int, ...] = (8, 16, 32)

    def __post_init__(self) -> None:
        if self.boxes not in ("cxcywh", "xyxy") or self.scores not in ("probability", "logit"):
            raise UsageError(
                f"boxes are {self.boxes!r} and scores {self.scores!r}",
                "Boxes are cxcywh or xyxy, scores probability or logit.",
            )
        if (self.normalized or not self.decoded) and min(self.size) < 1:
            raise UsageError("the input size is not known", 'Give "size": [height, width] in the settings.')

    def candidates(self, outputs: Outputs, count: int, quota: Quota) -> list[Detections]:
        rows = self._rows(outputs)
        head = 5 if self.objectness else 4
        if rows.ndim != 3 or len(rows) != count or rows.shape[2] <= head:
            raise JobError(
                f"the output of {count} image(s) is {rows.dtype} {list(rows.shape)}, "
                f"style yolo takes [{count}, places, {head} + classes]",
                'Say "objectness" or "transposed" in the settings of detection, or another style.',
                kind="wrong shape",
            )
        grid = None if self.decoded else centres(self.strides, self.size, 0.0)
        if grid is not None and len(grid[1]) != rows.shape[1]:
            raise JobError(
                f"{rows.shape[1]} places, but {len(grid[1])} cells at strides {list(self.strides)} on "
                f"{self.size[0]}x{self.size[1]}",
                "Give the strides and the input size that the network was made for.",
                kind="wrong shape",
            )
        return [self._one(r, head, grid, quota) for r in checked(rows)]

    def classes(self, outputs: Outputs) -> int:
        return int(self._rows(outputs).shape[-1]) - (5 if self.objectness else 4)

    def _rows(self, outputs: Outputs) -> np.ndarray:
        """[N, A, numbers]; another rank comes as it is."""
        rows = np.asarray(self.output(outputs, "output"))
        if rows.ndim == 3 and (self.transposed if self.transposed is not None else rows.shape[1] < rows.shape[2]):
            rows = rows.transpose(0, 2, 1)
        return rows

    def _one(self, row: np.ndarray, head: int, grid: tuple[np.ndarray, np.ndarray] | None, quota: Quota) -> Detections:
        logits = self.scores == "logit"
        values, least = row[:, head:], logit(quota.score) if logits else quota.score
        place = np.arange(len(row))
        if self.objectness:  # a product of probabilities is at most each of them
            place = np.flatnonzero(row[:, 4] >= least)
            both = values[place].astype(np.float64), row[place, 4:5].astype(np.float64)
            values = sigmoid(both[0]) * sigmoid(both[1]) if logits else both[0] * both[1]
            least, logits = quota.score, False
        flat = np.ascontiguousarray(values).ravel()
        chosen = best_of(flat, least, quota.candidates)
        at, label = np.divmod(chosen, values.shape[1])
        scores = sigmoid(flat[chosen]) if logits else flat[chosen]
        return Detections.best(self._boxes(row, place[at], grid), scores, label, quota.candidates)

    def _boxes(self, row: np.ndarray, place: np.ndarray, grid: tuple[np.ndarray, np.ndarray] | None) -> np.ndarray:
        found = row[place, :4].astype(np.float64)
        if grid is not None:
            points, strides = grid[0][place], grid[1][place, None]
            return corners(np.concatenate([points + found[:, :2] * strides, np.exp(found[:, 2:]) * strides], axis=1))
        if self.boxes == "cxcywh":
            found = corners(found)
        return scaled(found, self.size) if self.normalized else found
