"""``Detections``: what a detector found in one picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Detections"]


@dataclass(frozen=True, eq=False)
class Detections:
    """``boxes``: float32 [k,4], x1, y1, x2, y2 in pixels of the network's input. ``scores``: float32 [k] in 0..1.
    ``classes``: int64 [k]. Best first; equal scores in the order of the network's outputs.
    """

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray

    @staticmethod
    def best(boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray, most: int) -> Detections:
        """The ``most`` best of some, in order."""
        order = np.argsort(-scores, kind="stable")[:most]
        return Detections(
            np.ascontiguousarray(boxes[order], np.float32),
            np.ascontiguousarray(scores[order], np.float32),
            np.ascontiguousarray(classes[order], np.int64),
        )

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, index: np.ndarray) -> Detections:
        """Those of ``index`` (numbers or bool [k])."""
        return Detections(self.boxes[index], self.scores[index], self.classes[index])

    def clipped(self, window: tuple[float, float, float, float]) -> Detections:
        """Boxes cut at ``window`` (x1, y1, x2, y2); those with nothing left stay, as boxes without area."""
        x1, y1, x2, y2 = window
        low, high = np.array([x1, y1, x1, y1], np.float32), np.array([x2, y2, x2, y2], np.float32)
        return Detections(np.clip(self.boxes, low, high), self.scores, self.classes)
