"""Which detection is right: COCO's greedy matching, per image, class and IoU level.

Best detections choose first; each takes the free object that it overlaps most, if by at least the level; of equal
overlaps the later object. An object to be ignored is taken only where no other one is left, by any number of
detections, which then count neither way; the overlap with it is the share of the detection that lies in it.
Source: pycocotools' and faster-coco-eval's ``COCOeval`` (equal to them by test). faster-coco-eval itself is not asked:
what it keeps of an image is opaque and cannot leave the process, and a resample needs the matches, not the figure.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...core.errors import LabelMismatchError
from ...core.evidence import Evidence
from ...core.matches import Matches
from ...inputs import Objects
from .detections import Detections

__all__ = ["MOST", "matched", "overlaps"]

MOST = 100
"""Detections of one class in one image that count (COCO's maxDets)."""


def overlaps(boxes: np.ndarray, objects: np.ndarray, ignore: np.ndarray) -> np.ndarray:
    """float64 [d, g]: intersection over union; over the detection's own area where the object is to be ignored."""
    mine, theirs = boxes.astype(np.float64)[:, None], objects.astype(np.float64)[None]
    width = np.minimum(mine[..., 2], theirs[..., 2]) - np.maximum(mine[..., 0], theirs[..., 0])
    height = np.minimum(mine[..., 3], theirs[..., 3]) - np.maximum(mine[..., 1], theirs[..., 1])
    shared = np.where((width > 0) & (height > 0), width * height, 0.0)
    own, other = _areas(mine), _areas(theirs)
    union = np.where(ignore[None], own, own + other - shared)
    out: np.ndarray = np.divide(shared, union, out=np.zeros_like(shared), where=shared > 0)
    return out


def matched(found: Sequence[Detections], truth: Sequence[Objects], levels: np.ndarray) -> Evidence:
    """Evidence of kind "matches" of a batch. ``found``: in input pixels, clipped. ``truth``: placed objects.

    Raises ``LabelMismatchError`` where objects are None (an image without labels).
    """
    kept, hits, ignored = [], [], []
    for detections, objects in zip(found, truth, strict=True):
        if objects is None:
            raise LabelMismatchError("an image has no boxes to compare with", "Label all images or none.")
        detections = detections.take(_first_of_each_class(detections.classes))
        right, aside = _match(detections, objects, levels)
        kept.append(detections)
        hits.append(right)
        ignored.append(aside)
    count = [o.classes[~o.ignore] for o in truth]
    matches = Matches(
        levels=np.asarray(levels, np.float64),
        order=np.arange(len(kept)),
        starts=_ends([len(k) for k in kept]),
        scores=_joined([k.scores for k in kept], "float32"),
        labels=_joined([k.classes for k in kept], "int32"),
        hits=_joined(hits, "uint16"),
        ignored=_joined(ignored, "uint16"),
        boxes=_joined([k.boxes for k in kept], "float32", (0, 4)),
        object_starts=_ends([len(c) for c in count]),
        objects=_joined(count, "int32"),
    )
    scores = np.array([_own_score(matches, i) for i in range(len(kept))], np.float64)
    return Evidence("matches", scores, np.zeros(0, np.int64), matches)


def _own_score(matches: Matches, i: int) -> float:
    """An image's own average precision; of one without objects, 1 minus the best score of what was found there."""
    alone = matches.image(i)
    if len(alone.objects):
        return alone.average_precision()
    return 1.0 - float(alone.scores[alone.ignored != (1 << len(alone.levels)) - 1].max(initial=0.0))


def _match(found: Detections, objects: Objects, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(hits, ignored): uint16 [k], bit t for level t."""
    hits, ignored = np.zeros(len(found), np.uint16), np.zeros(len(found), np.uint16)
    least = np.minimum(levels, 1 - 1e-10)
    bits = (1 << np.arange(len(levels))).astype(np.uint16)
    for label in np.intersect1d(found.classes, objects.classes):
        mine, theirs = np.flatnonzero(found.classes == label), np.flatnonzero(objects.classes == label)
        theirs = theirs[np.argsort(objects.ignore[theirs], kind="stable")]
        crowd = objects.ignore[theirs]
        table = overlaps(found.boxes[mine], objects.boxes[theirs], crowd)
        free = np.ones((len(levels), len(theirs)), bool)
        for row in np.flatnonzero((table >= least[0]).any(axis=1)):
            able = free & (table[row] >= least[:, None])
            counts = able & ~crowd
            first = np.where(counts.any(axis=1, keepdims=True), counts, able)
            chosen = len(theirs) - 1 - np.argmax(np.where(first, table[row], -1.0)[:, ::-1], axis=1)
            taken = first.any(axis=1)
            aside = taken & crowd[chosen]
            free[taken & ~aside, chosen[taken & ~aside]] = False
            hits[mine[row]] = bits[taken & ~aside].sum(dtype=np.uint16)
            ignored[mine[row]] = bits[aside].sum(dtype=np.uint16)
    return hits, ignored


def _first_of_each_class(classes: np.ndarray) -> np.ndarray:
    """Places of the ``MOST`` first entries of each class, ascending."""
    if len(classes) <= MOST:
        return np.arange(len(classes))
    order = np.argsort(classes, kind="stable")
    ordered = classes[order]
    rank = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    return np.sort(order[rank < MOST])


def _areas(boxes: np.ndarray) -> np.ndarray:
    areas: np.ndarray = (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])
    return areas


def _ends(lengths: Sequence[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(np.asarray(lengths, np.int64))]).astype(np.int64)


def _joined(parts: Sequence[np.ndarray], dtype: str, empty: tuple[int, ...] = (0,)) -> np.ndarray:
    return np.concatenate([np.zeros(empty, dtype), *(p.astype(dtype) for p in parts)])
