"""Data that lives in Python: a torch Dataset, (input, target) pairs, or a list of inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..core.errors import DataError
from .labels import number_labels
from .live_objects import is_live_detection, read_live_objects
from .samples import Samples, raw_digest

__all__ = ["as_numbers", "read_live"]

TARGET_KEYS = ("label", "labels", "target", "targets")


def read_live(data: Any, classes: Sequence[str] = (), numbers: bool = False) -> Samples:
    """Samples of a map-style torch ``Dataset``, a sequence, or an iterable (which is read into memory once).

    An item is (input, target), a mapping with a target under "label", "labels" or "target", or an input alone.
    Targets are class numbers, class names or None. Tensors become numpy arrays. ``classes``: names in the model's
    order. ``numbers``: targets are real numbers; each is kept as the bits of its float64 (see ``as_numbers``).
    Object detection: (image, {"boxes": [k,4], "labels": [k]}) as torchvision has it, boxes x1, y1, x2, y2 in pixels.
    The data's own ``classes`` attribute (torchvision) gives names. Raises ``DataError`` for other things.
    """
    if hasattr(data, "dataset") and hasattr(data, "batch_size"):
        raise DataError("a DataLoader gives batches", "Give its dataset: data=loader.dataset")
    own = tuple(map(str, getattr(data, "classes", ()) or ()))
    if not (hasattr(data, "__len__") and hasattr(data, "__getitem__")) or isinstance(data, (set, frozenset, Mapping)):
        if isinstance(data, Mapping) or not isinstance(data, Iterable):
            raise DataError(
                f"data is a {type(data).__name__}",
                "Give a path, a Dataset, a list, or an iterable of (input, target) pairs.",
            )
        data = list(data)
    count = len(data)
    if count == 0:
        raise DataError("the data is empty")
    try:
        if is_live_detection(data):
            return read_live_objects(data, own, classes)
        return _read(data, count, own, classes, numbers)
    except IndexError as error:
        raise DataError(f"the data says it has {count} items and ends before: {error}") from error


def _read(data: Any, count: int, own: Sequence[str], classes: Sequence[str], numbers: bool) -> Samples:
    given = _known_targets(data, count)
    digests: list[str | None] = [None] * count
    if given is None:
        given = []
        for i in range(count):  # targets lie inside the items, so each is read once now
            raw, target = _item(data[i])
            given.append(target)
            digests[i] = raw_digest(raw)
    known: tuple[str, ...] = ()
    warnings: list[str] = []
    if numbers:
        targets = _bits(given)
    else:
        targets, known, warnings = number_labels([_class_number(t) for t in given], own, classes)
    first = raw_digest(_item(data[0])[0])
    if first != raw_digest(_item(data[0])[0]) or digests[0] not in (None, first):
        warnings.append("the data set gives other values each time it is read: switch its random augmentation off")
    name = type(data).__name__
    samples = Samples(lambda i: _item(data[i])[0], targets, [f"{name}[{i}]" for i in range(count)], known, (), warnings)
    samples._digests = digests
    return samples


def as_numbers(targets: np.ndarray) -> np.ndarray:
    """The real numbers that ``read_live(..., numbers=True)`` kept in int64 ``targets``; NaN where unlabelled."""
    return np.ascontiguousarray(targets, np.int64).view(np.float64)


def _bits(values: Sequence[Any]) -> np.ndarray:
    try:
        numbers = np.array([np.nan if v is None else float(v) for v in values], np.float64)
    except ValueError as error:
        raise DataError(f"a target is no number: {error}", "Give numbers, or None where unlabelled.") from error
    # the bits of -1, "unlabelled", are a NaN themselves, so no number is mistaken for it
    return np.where(np.isnan(numbers), np.int64(-1), numbers.view(np.int64))


def _class_number(value: Any) -> Any:
    if isinstance(value, float):
        if value != int(value):
            raise DataError(f"a target is {value!r}", "Give a class number, a class name or None.")
        return int(value)
    return value


def _known_targets(data: Any, count: int) -> list[Any] | None:
    """A torchvision-style ``targets`` attribute, which spares reading every image for its label."""
    given = getattr(data, "targets", None)
    if given is None or not hasattr(given, "__len__") or len(given) != count:
        return None
    values = [_plain(t) for t in given]
    # a target transform may change what items hold: trust the attribute only where the first item agrees
    return values if _is_target(values[0]) and _item(data[0])[1] == values[0] else None


def _item(item: Any) -> tuple[Any, Any]:
    """(raw, target) of one item."""
    if isinstance(item, Mapping):
        key = next((k for k in TARGET_KEYS if k in item), None)
        rest = {k: _plain(v) for k, v in item.items() if k != key}
        if len(rest) == 1 and not isinstance(next(iter(rest.values())), np.ndarray):
            rest = next(iter(rest.values()))  # {"text": ..., "label": ...}: the text itself
        return rest, None if key is None else _target(item[key])
    if isinstance(item, (tuple, list)) and len(item) == 2:
        target = _plain(item[1])
        if isinstance(target, np.ndarray):
            raise DataError(
                f"a target is an array of shape {target.shape}",
                "Give one class number a sample (the place of the 1 in a one-hot vector).",
            )
        return _plain(item[0]), _target(target)
    return _plain(item), None


def _target(value: Any) -> Any:
    value = _plain(value)
    if not _is_target(value):
        raise DataError(f"a target is a {type(value).__name__}", "Give a class number, a class name or None.")
    return value


def _is_target(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, str))


def _plain(value: Any) -> Any:
    """numpy for a tensor, a Python scalar for a zero-dimensional one; anything else as it is."""
    if hasattr(value, "detach") and hasattr(value, "cpu"):
        value = value.detach().cpu().numpy()
    if isinstance(value, (np.ndarray, np.generic)) and value.ndim == 0:
        return value.item()
    return value
