"""The confirmation pictures on which two detectors differ most, with the boxes of both."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..core.errors import RunError
from ..core.matches import Matches
from ..inputs import EncodedSplit, Objects
from ..report import ShownBox, ShownSample
from ..tasks.boxes import Detections, overlaps
from .kept_answers import kept_answers
from .prepared import Prepared
from .run_folder import RunFolder
from .seen import png_of

__all__ = ["partners", "picture_of", "shown_boxes"]

MOST_SHOWN = 8
SAME = 0.5
"""Two boxes of a class that overlap by this are the same find: AP50's own rule."""


def shown_boxes(folder: RunFolder, prepared: Prepared) -> list[ShownSample]:
    """At most ``MOST_SHOWN`` pictures, most different first; none where the two agree on all. Boxes below the
    detector's ``confidence`` are left out, as they are in what an opened bundle answers.
    """
    original, winner = kept_answers(folder, prepared)
    split = EncodedSplit.open(prepared.folder / "confirmation")
    if original.matches is None or winner.matches is None:
        raise RunError(f"{folder.path} keeps no boxes of its confirmation")
    least = _confidence(prepared)
    pairs = [
        (_shown(original.matches, i, least), _shown(winner.matches, i, least))
        for i in range(min(len(original), len(winner)))
    ]
    differences = np.array([_difference(a, b) for a, b in pairs])
    order = np.argsort(-differences, kind="stable")[:MOST_SHOWN]
    classes = prepared.data.classes or tuple(prepared.model.origin.hints.get("classes") or ())

    def name(label: int) -> str:
        return classes[label] if label < len(classes) else f"class {label}"

    return [_sample(split, i, pairs[i][0], pairs[i][1], name) for i in order.tolist() if differences[i] > 0]


def partners(mine: Detections, others: Detections) -> np.ndarray:
    """bool [k]: which of ``mine`` have a partner of their own among ``others``, best pairs first."""
    table = overlaps(mine.boxes, others.boxes, np.zeros(len(others), bool))
    table = np.where(mine.classes[:, None] == others.classes[None], table, 0.0)
    paired = np.zeros(len(mine), bool)
    while table.size and table.max() >= SAME:
        row, column = np.unravel_index(table.argmax(), table.shape)
        paired[row] = True
        table[row], table[:, column] = 0.0, 0.0
    return paired


def _difference(a: Detections, b: Detections) -> float:
    """Boxes without a partner, each by its score: a sure one that the other lacks weighs more than a doubtful one."""
    return float(a.scores[~partners(a, b)].sum() + b.scores[~partners(b, a)].sum())


def _confidence(prepared: Prepared) -> float:
    from ..tasks import build_detection

    return float(build_detection(prepared.settings.options, prepared.model).reader.confidence)


def _shown(matches: Matches, i: int, least: float) -> Detections:
    one = matches.image(i)
    found = Detections(one.boxes, one.scores, one.labels.astype(np.int64))
    return found.take(found.scores >= least)


def _sample(split: EncodedSplit, i: int, a: Detections, b: Detections, name: Callable[[int], str]) -> ShownSample:
    objects = split.objects(i)
    if objects is None:
        raise RunError(f"sample {i} of {split.folder} has no boxes")
    x1, y1 = objects.window[:2]
    image, size = picture_of(split, i, objects)

    def moved(box: np.ndarray) -> tuple[float, float, float, float]:
        left, top, right, bottom = (float(v) for v in box)
        return left - x1, top - y1, right - x1, bottom - y1

    truth = [
        ShownBox("truth", moved(box), name(int(label)))
        for box, label, ignore in zip(objects.boxes, objects.classes, objects.ignore, strict=True)
        if not ignore
    ]
    found, words = [], []
    for who, mine, other in (("original", a, b), ("winner", b, a)):
        paired = partners(mine, other)
        rows = list(zip(mine.boxes, mine.classes, mine.scores, paired, strict=True))
        found += [ShownBox(who, moved(x), name(int(c)), float(s), not p) for x, c, s, p in rows]
        only = [f"{name(int(c))} {s:.2f}" for _, c, s, p in rows if not p]
        both = f"{int(paired.sum())} found by both"
        words.append(f"{both}; only here: {', '.join(only)}" if only else both)
    counts = [name(int(c)) for c in np.unique(objects.classes[~objects.ignore])]
    said = f"{len(truth)} labelled object{'s' * (len(truth) != 1)}" + (f" ({', '.join(counts)})" if counts else "")
    return ShownSample(words[0], words[1], said, split.origins[i], image, (*truth, *found), size)


def picture_of(split: EncodedSplit, i: int, objects: Objects) -> tuple[bytes, tuple[int, int]]:
    """The picture as the network saw it, without its border, as PNG; and its size. Empty where only floats are kept."""
    x1, y1, x2, y2 = (round(v) for v in objects.window)
    encoded = split.encoded(i)
    if "pixels" not in encoded:
        return b"", (y2 - y1, x2 - x1)
    return png_of(split, np.asarray(encoded["pixels"])[y1:y2, x1:x2]), (y2 - y1, x2 - x1)
