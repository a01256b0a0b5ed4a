"""faster-coco-eval on the same boxes: the figures that ours must equal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from speedwell.inputs import Objects
from speedwell.tasks.boxes.detections import Detections


def coco_ap(found: Sequence[Detections], truth: Sequence[Objects], classes: int) -> tuple[float, float]:
    """(AP, AP50) of COCOeval; an ignored object is a crowd to it. -1 where no object counts."""
    from faster_coco_eval import COCO, COCOeval_faster

    images = [{"id": i + 1, "height": o.size[0], "width": o.size[1]} for i, o in enumerate(truth)]
    categories = [{"id": c + 1, "name": str(c)} for c in range(classes)]
    annotations = [
        {
            "id": 0, "image_id": i + 1, "category_id": int(c) + 1, "bbox": _xywh(box), "area": float(area),
            "iscrowd": int(ignore),
        }
        for i, o in enumerate(truth)
        for box, c, ignore, area in zip(o.boxes, o.classes, o.ignore, o.areas, strict=True)
    ]  # fmt: skip
    for number, annotation in enumerate(annotations, 1):
        annotation["id"] = number
    results = [
        {"image_id": i + 1, "category_id": int(c) + 1, "bbox": _xywh(box), "score": float(score)}
        for i, d in enumerate(found)
        for box, score, c in zip(d.boxes, d.scores, d.classes, strict=True)
    ]
    reference = COCO({"images": images, "categories": categories, "annotations": annotations})
    judged = COCOeval_faster(reference, reference.loadRes(results), "bbox")
    judged.evaluate()
    judged.accumulate()
    judged.summarize()
    return float(judged.stats[0]), float(judged.stats[1])


def _xywh(box: np.ndarray) -> list[float]:
    x1, y1, x2, y2 = map(float, box)
    return [x1, y1, x2 - x1, y2 - y1]


def scene(
    rng: np.random.Generator, classes: int, objects: int, alarms: int, ignore: float = 0.1, steps: int = 0
) -> tuple[Detections, Objects]:
    """A random picture of 64x80 and what a mediocre detector finds in it. ``steps``: scores of so many values only,
    as an 8-bit network gives them (0: any).
    """
    corners = rng.uniform(0, 40, (objects, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(4, 30, (objects, 2))], 1).astype(np.float32)
    labels = rng.integers(0, classes, objects)
    truth = Objects.of(boxes, labels.astype(np.int64), (64, 80), rng.random(objects) < ignore)
    seen = np.repeat(np.arange(objects), rng.integers(0, 3, objects))
    moved = boxes[seen] + rng.normal(0, rng.uniform(0, 4), (len(seen), 4))
    stray = rng.uniform(0, 40, (alarms, 2))
    every = np.concatenate([moved, np.concatenate([stray, stray + rng.uniform(1, 30, (alarms, 2))], 1)])
    every = np.concatenate([np.minimum(every[:, :2], every[:, 2:]), np.maximum(every[:, :2], every[:, 2:])], 1)
    named = np.where(rng.random(len(seen)) < 0.85, labels[seen], rng.integers(0, classes, len(seen)))
    scores = rng.random(len(every))
    scores = np.round(scores * steps) / steps if steps else scores
    found = Detections.best(
        every.astype(np.float32),
        scores.astype(np.float32),
        np.concatenate([named, rng.integers(0, classes, alarms)]),
        10_000,
    )
    return found, truth
