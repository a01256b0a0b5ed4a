"""Detectors that end with their own suppression, as torchvision's do: boxes, scores and labels of each image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ...core.errors import JobError, UsageError
from .detections import Detections
from .head import Head, Outputs, Quota, best_of, checked, scaled

__all__ = ["Torchvision"]


@dataclass(frozen=True)
class Torchvision(Head):
    """Per image ``boxes`` [K,4] x1, y1, x2, y2, ``scores`` [K] in 0..1 and ``labels`` [K]; a class is its label minus
    ``offset`` (1: label 0 is the background, as torchvision numbers them).

    Images come as arrays padded to one K (what pads has no score), as lists of arrays, as one image without the batch
    axis, or as outputs named output_<i>_boxes (a list of dicts, flattened). ``normalized``: in shares of ``size``.
    """

    style: ClassVar[str] = "torchvision"
    suppressed: ClassVar[bool] = True
    roles: ClassVar = {
        "boxes": ("boxes", "detection_boxes"),
        "scores": ("scores", "detection_scores"),
        "labels": ("labels", "detection_classes", "classes"),
    }

    size: tuple[int, int] = (0, 0)
    offset: int = 1
    normalized: bool = False

    def __post_init__(self) -> None:
        if self.normalized and min(self.size) < 1:
            raise UsageError("the input size is not known", 'Give "size": [height, width] in the settings.')

    def candidates(self, outputs: Outputs, count: int, quota: Quota) -> list[Detections]:
        boxes, scores, labels = (self._images(outputs, role, count) for role in ("boxes", "scores", "labels"))
        return [self._one(*one, quota) for one in zip(boxes, scores, labels, strict=True)]

    def _images(self, outputs: Outputs, role: str, count: int) -> Sequence[Any]:
        flat = [f"output_{i}_{role}" for i in range(count)]
        if flat[0] in outputs:
            return [outputs[name] for name in flat if name in outputs]
        found: Any = self.output(outputs, role)
        deep = 3 if role == "boxes" else 2
        if isinstance(found, np.ndarray) and found.ndim == deep - 1 and count == 1:
            return [found]
        if len(found) != count or (isinstance(found, np.ndarray) and found.ndim != deep and found.dtype != object):
            raise JobError(
                f"the {role} are of {len(found)} image(s), there are {count}", kind="wrong shape",
                fix="Give one list of boxes an image.",
            )  # fmt: skip
        return list(found)

    def _one(self, boxes: Any, scores: Any, labels: Any, quota: Quota) -> Detections:
        boxes, scores, labels = np.asarray(boxes), np.asarray(scores), np.asarray(labels)
        if boxes.shape != (len(scores), 4) or scores.ndim != 1 or labels.shape != scores.shape:
            raise JobError(
                f"an image has boxes {list(boxes.shape)}, scores {list(scores.shape)} and labels {list(labels.shape)}",
                "Style torchvision takes [K,4], [K] and [K].",
                kind="wrong shape",
            )
        if len(scores):
            checked(np.concatenate([boxes, scores[:, None]], axis=1)[None])
        classes = labels.astype(np.int64) - self.offset
        # a score of exactly 0 is padding, whatever is looked at
        usable = np.where((classes >= 0) & (scores > 0), scores, -1.0)
        chosen = best_of(usable, max(quota.score, 0.0), quota.candidates)
        found = scaled(boxes[chosen], self.size) if self.normalized else boxes[chosen]
        return Detections.best(found, scores[chosen], classes[chosen], quota.candidates)
