"""``Found``: what an opened detector answers for one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..tasks.boxes import Detections

__all__ = ["Found"]


@dataclass(frozen=True, eq=False)
class Found:
    """``boxes``: float32 [k,4], x1, y1, x2, y2 in pixels of the picture as it was given; best first. ``scores``:
    float32 [k] in 0..1. ``classes``: int64 [k]; ``labels``: their names ("" where unknown).
    """

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    labels: tuple[str, ...]

    @staticmethod
    def of(found: Detections, boxes: np.ndarray, names: Sequence[str]) -> Found:
        """``boxes``: those of ``found`` in pixels of the picture itself."""
        labels = tuple(names[c] if c < len(names) else "" for c in found.classes.tolist())
        return Found(boxes, found.scores, found.classes, labels)

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def text(self) -> str:
        """ "2 objects: cat 0.93 at 12,20 to 118,240; dog 0.41 at 5,8 to 60,70"."""
        if not len(self):
            return "nothing found"
        each = (
            f"{label or f'class {number}'} {score:.2f} at {x1:.0f},{y1:.0f} to {x2:.0f},{y2:.0f}"
            for label, number, score, (x1, y1, x2, y2) in zip(
                self.labels, self.classes.tolist(), self.scores.tolist(), self.boxes.tolist(), strict=True
            )
        )
        return f"{len(self)} object{'s' * (len(self) > 1)}: {'; '.join(each)}"

    def __str__(self) -> str:
        return self.text

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON: {"objects": [{"label", "index", "score", "box": [x1, y1, x2, y2]}]}."""
        return {
            "objects": [
                {"label": label, "index": number, "score": score, "box": box}
                for label, number, score, box in zip(
                    self.labels, self.classes.tolist(), self.scores.tolist(), self.boxes.tolist(), strict=True
                )
            ]
        }
