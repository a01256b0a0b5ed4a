"""Detection transformers: a set of queries, each with class logits and a box in shares of the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from ...core.errors import JobError, UsageError
from .detections import Detections
from .head import Head, Outputs, Quota, best_of, corners, logit, scaled, sigmoid

__all__ = ["Detr"]


@dataclass(frozen=True)
class Detr(Head):
    """``logits`` [N,Q,C+1] and ``boxes`` [N,Q,4], centre x, centre y, width, height in 0..1 of ``size`` = (height,
    width). ``activation`` "softmax": the last class is "no object", and a query answers its best class (DETR);
    "sigmoid": [N,Q,C], every class of every query counts by itself (Deformable DETR, RT-DETR).
    """

    style: ClassVar[str] = "detr"
    suppressed: ClassVar[bool] = True
    roles: ClassVar = {"boxes": ("pred_boxes", "boxes"), "scores": ("logits", "pred_logits", "scores")}

    size: tuple[int, int] = (0, 0)
    activation: Literal["softmax", "sigmoid"] = "softmax"

    def __post_init__(self) -> None:
        if self.activation not in ("softmax", "sigmoid"):
            raise UsageError(f"activation is {self.activation!r}", "Use softmax or sigmoid.")
        if min(self.size) < 1:
            raise UsageError("the input size is not known", 'Give "size": [height, width] in the settings.')

    def candidates(self, outputs: Outputs, count: int, quota: Quota) -> list[Detections]:
        boxes = self.array(outputs, "boxes", count, 4)
        logits = self.array(outputs, "scores", count)
        if boxes.shape[1] != logits.shape[1] or (self.activation == "softmax" and logits.shape[2] < 2):
            raise JobError(
                f"boxes {list(boxes.shape)} and logits {list(logits.shape)} are not of the same queries",
                "Give the names of both outputs.",
                kind="wrong shape",
            )
        return [self._one(b, s, quota) for b, s in zip(boxes, logits, strict=True)]

    def classes(self, outputs: Outputs) -> int:
        return int(np.asarray(self.output(outputs, "scores")).shape[-1]) - (self.activation == "softmax")

    def _one(self, boxes: np.ndarray, logits: np.ndarray, quota: Quota) -> Detections:
        if self.activation == "softmax":
            shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
            shares = (shifted / shifted.sum(axis=1, keepdims=True))[:, :-1]
            best = shares.argmax(axis=1)
            highest = shares[np.arange(len(best)), best]
            query = best_of(highest, quota.score, quota.candidates)
            label, scores = best[query], highest[query]
        else:
            flat = logits.ravel()
            chosen = best_of(flat, logit(quota.score), quota.candidates)
            query, label = np.divmod(chosen, logits.shape[1])
            scores = sigmoid(flat[chosen])
        found = scaled(corners(boxes[query].astype(np.float64)), self.size)
        return Detections.best(found, scores, label, quota.candidates)
