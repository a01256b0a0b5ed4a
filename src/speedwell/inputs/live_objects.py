"""Pictures with boxes that live in Python: (image, {"boxes": ..., "labels": ...}), as torchvision has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..core.errors import CorruptSampleError, DataError
from .annotations import Annotations, picture_samples
from .decode import picture_size
from .labels import number_labels
from .samples import BadSample, Samples, check_bad, raw_digest

__all__ = ["is_live_detection", "read_live_objects"]

FIX = 'Give (image, {"boxes": [k,4] as x1, y1, x2, y2 in pixels, "labels": [k] from 0}).'


def is_live_detection(data: Any) -> bool:
    """True for a sequence whose first item is (image, {"boxes": ..., "labels": ...}). The item is read."""
    if not (hasattr(data, "__len__") and hasattr(data, "__getitem__")) or isinstance(data, (str, bytes, Mapping)):
        return False
    first = data[0] if len(data) else None
    return (
        isinstance(first, (tuple, list)) and len(first) == 2 and isinstance(first[1], Mapping) and "boxes" in first[1]
    )


def read_live_objects(data: Any, names: Sequence[str] = (), classes: Sequence[str] = ()) -> Samples:
    """Samples of a sequence of (image, target); images are uint8 or prepared arrays, tensors, PIL images or encoded
    bytes. All are read once now, for sizes and targets, and again when used.

    target: "boxes" [k,4], "labels" int [k] or names, "iscrowd" or "ignore" bool [k] where there are any.
    ``names``: the data's own by class number, ``classes``: the model's. Raises ``DataError``, ``LabelMismatchError``.
    """
    kind = type(data).__name__
    good: list[int] = []
    sizes: list[tuple[int, int]] = []
    whose: list[int] = []
    digests: list[str | None] = []
    boxes, labels, ignore = [np.zeros((0, 4))], [], [np.zeros(0, bool)]
    bad: list[BadSample] = []
    for i in range(len(data)):
        raw, target = _item(data[i], f"{kind}[{i}]")
        box, said, crowd = _target(target, f"{kind}[{i}]")
        try:
            sizes.append(_size(raw))
        except CorruptSampleError as error:
            bad.append(BadSample(f"{kind}[{i}]", error.what))
            continue
        whose += [len(good)] * len(box)
        good.append(i)
        digests.append(raw_digest(raw))
        boxes.append(box)
        labels += said
        ignore.append(crowd)
    check_bad(bad, len(data))
    numbers, known, warnings = number_labels(labels, names, classes)
    picture = np.array(whose, np.int64)
    first = np.searchsorted(picture, picture)
    marked = Annotations(
        picture, np.concatenate(boxes), numbers, np.concatenate(ignore),
        lambda j: f"{kind}[{good[whose[j]]}], object {j - first[j]}",
    )  # fmt: skip
    if digests and raw_digest(_item(data[good[0]], kind)[0]) != digests[0]:
        warnings.append("the data set gives other values each time it is read: switch its random augmentation off")
    samples = picture_samples(
        lambda k: _item(data[good[k]], f"{kind}[{good[k]}]")[0],
        [f"{kind}[{i}]" for i in good],
        np.array(sizes, np.int64).reshape(-1, 2),
        marked,
        known or tuple(classes) or tuple(names),
        kind,
        bad,
        warnings,
    )
    samples._digests = digests
    return samples


def _item(item: Any, where: str) -> tuple[Any, Any]:
    if not isinstance(item, (tuple, list)) or len(item) != 2:
        raise DataError(f"{where} is a {type(item).__name__}, the items before it are (image, target)", FIX)
    return _numpy(item[0]), item[1]


def _target(target: Any, where: str) -> tuple[np.ndarray, list[Any], np.ndarray]:
    """Boxes float64 [k,4], labels, ignore bool [k]."""
    if not isinstance(target, Mapping) or "boxes" not in target or "labels" not in target:
        has = sorted(map(str, target)) if isinstance(target, Mapping) else type(target).__name__
        raise DataError(f"the target of {where} has no boxes and labels, but {has}", FIX)
    try:
        boxes = np.asarray(_numpy(target["boxes"]), np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"the boxes of {where} are no array: {error}", FIX) from error
    boxes = boxes.reshape(0, 4) if boxes.size == 0 else boxes
    labels = np.asarray(_numpy(target["labels"])).tolist()
    crowd = target.get("iscrowd", target.get("ignore"))
    ignore = np.zeros(len(boxes), bool) if crowd is None else np.asarray(_numpy(crowd), bool)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not isinstance(labels, list) or ignore.shape != (len(boxes),):
        raise DataError(f"the boxes of {where} have shape {list(boxes.shape)}, iscrowd {list(ignore.shape)}", FIX)
    if len(labels) != len(boxes):
        raise DataError(f"{where} has {len(boxes)} box(es) and {len(labels)} label(s)", FIX)
    if odd := [v for v in labels if not isinstance(v, (int, str)) and not (isinstance(v, float) and v == int(v))]:
        raise DataError(f"a label of {where} is {odd[0]!r}", FIX)
    return boxes, [int(v) if isinstance(v, float) else v for v in labels], ignore


def _size(raw: Any) -> tuple[int, int]:
    """Height and width; of a float array, which is prepared, by where its 1 or 3 channels are."""
    if isinstance(raw, np.ndarray) and raw.dtype.kind == "f" and raw.ndim == 3:
        height, width = raw.shape[1:] if raw.shape[0] in (1, 3) else raw.shape[:2]
        return int(height), int(width)
    return picture_size(raw)


def _numpy(value: Any) -> Any:
    return value.detach().cpu().numpy() if hasattr(value, "detach") and hasattr(value, "cpu") else value
