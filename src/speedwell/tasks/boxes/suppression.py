"""Non-maximum suppression, class by class, outside the network: exported graphs stay plain and engines comparable.

Greedy, in order of score: a box is kept unless a better one of its class overlaps it by more than ``iou``. Boxes of all
classes go through at once, each class moved to a place of its own (what torchvision's batched_nms does too).
"""

from __future__ import annotations

import numpy as np

from .detections import Detections

__all__ = ["suppress"]


def suppress(found: Detections, iou: float, most: int) -> Detections:
    """The kept ones of ``found`` (best first), at most ``most``. ``iou`` in 0..1; 1 keeps all."""
    if len(found) < 2 or iou >= 1.0:
        return found.take(np.arange(min(len(found), most)))
    boxes = found.boxes.astype(np.float64)
    # a class apart is further than any box reaches; float64, because a large shift would eat float32's pixels
    reach = float(boxes.max()) - float(boxes.min()) + 1.0
    boxes = boxes + (found.classes * reach)[:, None]
    x1, y1, x2, y2 = np.ascontiguousarray(boxes.T)
    area = np.maximum(x2 - x1, 0.0) * np.maximum(y2 - y1, 0.0)
    left = np.arange(len(boxes))
    kept: list[int] = []
    while len(left) and len(kept) < most:
        best, left = int(left[0]), left[1:]
        kept.append(best)
        width = np.minimum(x2[left], x2[best]) - np.maximum(x1[left], x1[best])
        height = np.minimum(y2[left], y2[best]) - np.maximum(y1[left], y1[best])
        shared = np.maximum(width, 0.0) * np.maximum(height, 0.0)
        # shared > iou * union, without dividing: two boxes without area have no union and both stay
        left = left[shared <= iou * (area[left] + area[best] - shared)]
    return found.take(np.array(kept, np.int64))
