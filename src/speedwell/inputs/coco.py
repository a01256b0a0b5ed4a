"""COCO JSON: ``images``, ``annotations`` with ``bbox`` [x, y, width, height], ``categories``; pictures beside it."""

from __future__ import annotations

import json
import math
import mmap
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import DataError, DataNotFoundError, LabelMismatchError
from .annotations import Annotations, Pictures, inside, picture_samples
from .labels import number_labels
from .samples import Samples

__all__ = ["is_coco", "read_coco"]

MAX_JSON_BYTES = 1 << 30
LISTS = (rb'"images"\s*:\s*\[', rb'"annotations"\s*:\s*\[')


def is_coco(path: Path) -> bool:
    """True for a ``.json`` file that holds lists called images and annotations. The file is scanned, not parsed."""
    path = Path(path)
    if path.suffix.lower() != ".json" or not path.is_file() or path.stat().st_size < 2:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        start = text[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
        return start.startswith(b"{") and all(re.search(name, text) for name in LISTS)


def read_coco(path: Path, images_folder: Path | None = None, classes: Sequence[str] = ()) -> Samples:
    """One sample a picture of ``images``, with its objects. Pictures are looked for in ``images_folder``, else beside
    the file, in ``images/``, and in folders named as the file says (``instances_val2017.json``: ``val2017/``).

    Classes are the categories in the order of their ids, or ``classes`` (the model's order), matched by name; then
    categories that no annotation uses may be others. ``iscrowd`` is ignored. A picture that is listed twice counts
    once, with the objects of both. Raises ``DataNotFoundError``, ``DataError`` naming file and place,
    ``LabelMismatchError`` for a category that is unknown.
    """
    path = Path(path)
    whole = _parsed(path)
    images, marks, categories = (_listed(whole, name, path) for name in ("images", "annotations", "categories"))
    names, where, sizes, merged = _images(images, path)
    warnings = [f"{merged} picture(s) of {path.name} are listed twice and used once"] if merged else []
    folder = _folder(path, images_folder, names)
    pictures = Pictures.find(names, [inside(folder, n, str(path)) for n in names], sizes, str(path))
    place = np.full(len(names), -1, np.int64)
    place[pictures.kept] = np.arange(len(pictures.kept))

    boxes, whose, used = _boxes(marks, where, path)
    numbers, known = _classes(used, categories, classes, path)
    ignore = np.array([bool(m.get("iscrowd")) for m in marks], bool)
    rows = np.flatnonzero(place[whose] >= 0)
    if merged:
        rows = _once(rows, whose, boxes, numbers)
    marked = Annotations(
        place[whose[rows]],
        boxes[rows],
        numbers[rows],
        ignore[rows],
        lambda m: f"annotation {marks[rows[m]].get('id', int(rows[m]))} of {names[whose[rows[m]]]}",
    )
    origins = [names[i] for i in pictures.kept]
    return picture_samples(
        pictures.load, origins, pictures.sizes, marked, known, str(path), pictures.bad, warnings
    )  # fmt: skip


def _parsed(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise DataError(f"{path} is larger than {MAX_JSON_BYTES >> 20} MB", "Split it, or leave out segmentations.")
        # outlines are most of a file and are not used: dropped while parsing, they never lie in memory together
        whole = json.loads(path.read_bytes(), object_hook=_without_outline)
    except FileNotFoundError as error:
        raise DataNotFoundError(f"there is no {path}") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}") from error
    if not isinstance(whole, dict):
        raise DataError(f"{path} holds a {type(whole).__name__}, not a COCO object", "Give images and annotations.")
    return whole


def _without_outline(record: dict[str, Any]) -> dict[str, Any]:
    record.pop("segmentation", None)
    return record


def _listed(whole: Mapping[str, Any], name: str, path: Path) -> list[dict[str, Any]]:
    found = whole.get(name)
    if not isinstance(found, list):
        have = "nothing" if name not in whole else f"a {type(found).__name__}"
        raise DataError(f"{path} holds {have} as {name!r}, not a list", "Give a COCO file for object detection.")
    if (odd := next((i for i, item in enumerate(found) if not isinstance(item, dict)), None)) is not None:
        raise DataError(f"{path}: {name}[{odd}] is a {type(found[odd]).__name__}, not an object")
    return found


def _images(
    images: Sequence[Mapping[str, Any]], path: Path
) -> tuple[list[str], dict[Any, int], list[tuple[int, int] | None], int]:
    """File names without repeats, the place of each image id among them, sizes where said, and how many repeat."""
    names: dict[str, int] = {}
    where: dict[Any, int] = {}
    sizes: list[tuple[int, int] | None] = []
    for i, image in enumerate(images):
        name, number = image.get("file_name"), image.get("id")
        if not isinstance(name, str) or not name or isinstance(number, (dict, list)) or number is None:
            raise DataError(f"{path}: images[{i}] has file_name {name!r} and id {number!r}", "Each needs both.")
        if number in where and names.get(name) != where[number]:
            raise DataError(f"{path}: images[{i}] has the id {number!r} of another picture", "Ids must be unique.")
        if name not in names:
            names[name] = len(sizes)
            said = (image.get("height"), image.get("width"))
            sizes.append(said if all(type(s) is int and 0 < s < 2**31 for s in said) else None)  # type: ignore[arg-type]
        where[number] = names[name]
    return list(names), where, sizes, len(images) - len(names)


def _boxes(
    marks: Sequence[Mapping[str, Any]], where: Mapping[Any, int], path: Path
) -> tuple[np.ndarray, np.ndarray, list[Any]]:
    """Edges float64 [m,4], the place of each one's picture int64 [m], category ids."""
    try:
        whose = np.array([where[m["image_id"]] for m in marks], np.int64)
        used = [m["category_id"] for m in marks]
        boxes = np.array([m["bbox"] for m in marks], np.float64).reshape(-1, 4 if not marks else len(marks[0]["bbox"]))
        if boxes.shape != (len(marks), 4):
            raise ValueError
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        for i, mark in enumerate(marks):  # the slow way, to say which
            _check(mark, f"{path}: annotations[{i}]", where)
        raise DataError(f"{path}: the annotations cannot be read: {error}") from error
    boxes[:, 2:] += boxes[:, :2]
    return boxes, whose, used


def _check(mark: Mapping[str, Any], place: str, where: Mapping[Any, int]) -> None:
    missing = [k for k in ("image_id", "category_id", "bbox") if k not in mark]
    if missing:
        raise DataError(f"{place} has no {', '.join(missing)}", "Give a COCO file for object detection.")
    number, box = mark["image_id"], mark["bbox"]
    if isinstance(number, (dict, list)) or number not in where:
        raise DataError(f"{place} is of image {number!r}, which images does not list", "List it, or remove the box.")
    if not (isinstance(box, list) and len(box) == 4 and all(_is_number(v) for v in box)):
        raise DataError(f"{place} has bbox {box!r}"[:300], "Write [x, y, width, height] in pixels.")


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _classes(
    used: Sequence[Any], categories: Sequence[Mapping[str, Any]], classes: Sequence[str], path: Path
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Class numbers int64 [m] of category ids, and the names."""
    named: dict[int, str] = {}
    for i, category in enumerate(categories):
        number, name = category.get("id"), category.get("name")
        if type(number) is not int or not isinstance(name, str) or not name:
            raise DataError(f"{path}: categories[{i}] has id {number!r} and name {name!r}", "Each needs both.")
        if number in named:
            raise DataError(f"{path}: categories[{i}] has the id {number} of {named[number]!r}", "Ids must be unique.")
        named[number] = name
    order = sorted(named)
    if (odd := next((c for c in used if type(c) is not int or c not in named), None)) is not None:
        raise LabelMismatchError(
            f"{path}: an annotation has category_id {odd!r}; the categories are {order[:10]}",
            "List the category, or remove its boxes.",
        )
    if not classes:
        if len(set(named.values())) < len(named):
            raise DataError(f"{path} has two categories of one name", "Each needs a name of its own.")
        place = {c: i for i, c in enumerate(order)}
        return np.array([place[c] for c in used], np.int64), tuple(named[c] for c in order)
    met = sorted(set(used))
    numbers, known, _ = number_labels([named[c] for c in met], (), classes)
    place = dict(zip(met, numbers.tolist(), strict=True))
    return np.array([place[c] for c in used], np.int64), known or tuple(classes)


def _once(rows: np.ndarray, whose: np.ndarray, boxes: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """``rows`` without boxes that repeat in one picture: they were listed with both of its entries."""
    keys = np.column_stack([whose[rows], numbers[rows], boxes[rows]])
    _, first = np.unique(keys, axis=0, return_index=True)
    return rows[np.sort(first)]


def _folder(path: Path, given: Path | None, names: Sequence[str]) -> Path:
    """Where most of the first pictures are."""
    if given is not None:
        if not Path(given).is_dir():
            raise DataNotFoundError(f"there is no folder {given}")
        return Path(given)
    said = re.sub(r"^(instances|annotations?)_|_?annotations?(\.coco)?$", "", path.stem)
    home, up = path.parent, path.parent.parent
    places = [home, home / "images", home / said, home / "images" / said, up, up / "images", up / said,
              up / "images" / said]  # fmt: skip
    tried = [inside(home, n, str(path)).relative_to(home) for n in names[:: max(1, math.ceil(len(names) / 20))]]
    return max(places, key=lambda p: sum((p / n).is_file() for n in tried))
