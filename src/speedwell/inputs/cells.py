"""Cells of a column ``objects``, as Hugging Face data sets hold them: boxes and categories of one picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..core.errors import CorruptSampleError, DataError
from .annotations import Annotations, checked_size, picture_samples
from .decode import picture_size
from .labels import number_labels
from .samples import BadSample, Samples, check_bad

__all__ = ["CATEGORY_NAMES", "cell_samples", "holds_boxes", "mark_cells", "objects_column"]

CATEGORY_NAMES = ("category", "categories", "category_id", "label", "labels", "class", "classes", "name")
IGNORE_NAMES = ("iscrowd", "is_crowd", "ignore", "difficult")
FIX = 'Give {"bbox": [[x, y, width, height], ...], "category": [...]} of one length.'


def objects_column(names: Sequence[str], label: str = "") -> str:
    """The column that may hold objects; "" where there is none, or where ``label`` names another column."""
    found = next((n for n in names if n.strip().lower() == "objects"), "")
    return found if not label or label == found else ""


def holds_boxes(cell: Any) -> bool:
    """True for {"bbox": ..., ...}, or a list of such."""
    if isinstance(cell, (list, tuple)) and cell:
        cell = cell[0]
    return isinstance(cell, Mapping) and "bbox" in cell


def mark_cells(
    cells: Sequence[Any], origin: Callable[[int], str], names: Sequence[str] = (), classes: Sequence[str] = ()
) -> tuple[Annotations, tuple[str, ...], list[str]]:
    """What ``cells`` mark in pictures 0, 1, ..., class names and warnings. ``origin(i)`` names cell i.

    A cell is {"bbox": [[x, y, width, height], ...], "category": [...]}, a list of {"bbox": [...], "category": ...}, or
    None. Categories are names or numbers, under any of ``CATEGORY_NAMES``; ``names`` are those of a ``ClassLabel``.
    Raises ``DataError`` naming the cell, ``LabelMismatchError`` as ``number_labels`` does.
    """
    whose: list[int] = []
    boxes: list[Any] = []
    labels: list[Any] = []
    ignore: list[bool] = []
    for i, cell in enumerate(cells):
        found, said, crowd = _columns(cell, origin(i))
        whose += [i] * len(found)
        boxes += found
        labels += said
        ignore += crowd
    numbers, known, warnings = number_labels(labels, names, classes)
    edges = np.array(boxes, np.float64).reshape(-1, 4)
    edges[:, 2:] += edges[:, :2]
    picture = np.array(whose, np.int64)
    first = np.searchsorted(picture, picture)
    marked = Annotations(
        picture, edges, numbers, np.array(ignore, bool), lambda j: f"{origin(whose[j])}, object {j - first[j] + 1}"
    )
    return marked, known or tuple(classes) or tuple(names), warnings


def cell_samples(
    load: Callable[[int], Any],
    origins: Sequence[str],
    cells: Sequence[Any],
    said: Sequence[tuple[Any, Any]] | None,
    names: Sequence[str],
    classes: Sequence[str],
    where: str,
) -> Samples:
    """Samples of the pictures that ``load`` gives, with the objects of ``cells``.

    ``said``: height and width of each; where they are not whole numbers above 0, or None, a picture's header is read.
    """
    good, sizes, bad = [], [], []
    for i, origin in enumerate(origins):
        size = said[i] if said else (None, None)
        if not all(type(s) is int and 0 < s < 2**31 for s in size):
            try:
                size = picture_size(load(i))
            except (CorruptSampleError, OSError) as error:
                bad.append(BadSample(origin, str(getattr(error, "what", error))))
                continue
        good.append(i)
        sizes.append(size)
    check_bad(bad, len(origins))
    marked, known, warnings = mark_cells([cells[i] for i in good], lambda k: origins[good[k]], names, classes)
    shapes = np.array(sizes, np.int64).reshape(-1, 2)
    return picture_samples(
        lambda k: checked_size(load(good[k]), shapes[k]), [origins[i] for i in good], shapes, marked, known, where, bad,
        warnings,
    )  # fmt: skip


def _columns(cell: Any, where: str) -> tuple[list[list[float]], list[Any], list[bool]]:
    if cell is None:
        return [], [], []
    if isinstance(cell, (list, tuple)):
        if not all(isinstance(one, Mapping) for one in cell):
            raise DataError(f"{where}: objects are a list of {type(cell[0]).__name__}", FIX)
        cell = {name: [one.get(name) for one in cell] for name in (cell[0] if cell else ("bbox", CATEGORY_NAMES[0]))}
    if not isinstance(cell, Mapping) or "bbox" not in cell:
        has = ", ".join(map(str, cell)) if isinstance(cell, Mapping) else type(cell).__name__
        raise DataError(f"{where}: objects have no bbox but {has or 'nothing'}", FIX)
    key = next((name for name in CATEGORY_NAMES if cell.get(name) is not None), "")
    boxes, labels = cell["bbox"], cell.get(key)
    if not isinstance(boxes, (list, tuple, np.ndarray)):
        raise DataError(f"{where}: bbox is a {type(boxes).__name__}", FIX)
    if not key and len(boxes):
        raise DataError(f"{where}: objects have no category but {', '.join(map(str, cell))}", FIX)
    labels = [] if labels is None else list(labels) if not isinstance(labels, str) else [labels]
    crowd = next((cell[name] for name in IGNORE_NAMES if cell.get(name) is not None), [False] * len(boxes))
    if not len(boxes) == len(labels) == len(crowd):
        raise DataError(f"{where}: {len(boxes)} box(es), {len(labels)} categories, {len(crowd)} marks of a crowd", FIX)
    if any(label is None or isinstance(label, (float, list, dict)) for label in labels):
        raise DataError(f"{where}: the categories are {labels[:5]}", "Give names, or numbers from 0.")
    return [_box(box, where) for box in boxes], labels, [bool(c) for c in crowd]


def _box(box: Any, where: str) -> list[float]:
    try:
        values = [float("nan") if v is None else float(v) for v in box]
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{where}: a bbox is {box!r}"[:300], FIX) from error
    if len(values) != 4:
        raise DataError(f"{where}: a bbox is {box!r}"[:300], FIX)
    return values
