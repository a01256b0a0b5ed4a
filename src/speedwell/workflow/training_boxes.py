"""Pictures of the judged split with what a trained detector found in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.evidence import Evidence
from ..inputs import EncodedSplit
from ..report import ShownBox, ShownSample
from ..report.training_page import Answered
from ..tasks.boxes import Detections
from .differing_boxes import partners, picture_of

__all__ = ["answered_boxes"]

MOST = 4
"""Of each kind: a picture of cells takes much room."""


def answered_boxes(
    split: EncodedSplit, evidence: Evidence, index: np.ndarray, task: Any, classes: Sequence[str]
) -> list[Answered]:
    """Pictures with most missed and invented objects, and with fewest. ``evidence`` of ``index``, in order."""
    if evidence.matches is None:
        return []
    least = float(task.reader.confidence)
    made = []
    for k, i in enumerate(index.tolist()):
        one = evidence.matches.image(k)
        found = Detections(one.boxes, one.scores, one.labels.astype(np.int64))
        found = found.take(found.scores >= least)
        objects = split.objects(i)
        assert objects is not None, "a detection split holds objects"
        counted = ~objects.ignore
        truth = Detections(objects.boxes[counted], np.ones(int(counted.sum()), np.float32), objects.classes[counted])
        hit, met = partners(found, truth), partners(truth, found)
        wrong = int((~hit).sum() + (~met).sum())
        made.append((wrong, k, i, found, truth, hit, met))
    order = sorted(made, key=lambda m: (-m[0], m[1]))
    worst = [m for m in order if m[0]][:MOST]
    best = [m for m in reversed(order[len(worst) :])][:MOST]

    def name(label: int) -> str:
        return classes[label] if 0 <= label < len(classes) else str(label)

    answers = []
    for place, (_, _, i, found, truth, hit, met) in enumerate([*worst, *best]):
        objects = split.objects(i)
        assert objects is not None, "a detection split holds objects"
        left, top = objects.window[:2]
        image, size = picture_of(split, i, objects)
        boxes = [
            ShownBox("truth", _moved(b, left, top), name(int(c)))
            for b, c in zip(truth.boxes, truth.classes, strict=True)
        ]
        boxes += [
            ShownBox("winner", _moved(b, left, top), name(int(c)), float(s), not h)
            for b, c, s, h in zip(found.boxes, found.classes, found.scores, hit, strict=True)
        ]
        said = f"{int(met.sum())} of {len(truth)} objects found, {int((~hit).sum())} boxes without an object"
        marked = "1 labelled object" if len(truth) == 1 else f"{len(truth)} labelled objects"
        sample = ShownSample("", said, marked, split.origins[i], image, tuple(boxes), size)
        answers.append(Answered(sample, place >= len(worst)))
    return answers


def _moved(box: np.ndarray, left: float, top: float) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (float(v) for v in box)
    return x1 - left, y1 - top, x2 - left, y2 - top
