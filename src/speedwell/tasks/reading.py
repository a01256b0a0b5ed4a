"""Whatever the user calls data, to ``inputs.Samples``: chooses the reader, and matches labels with the model."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.errors import DataError, DataNotFoundError, LabelMismatchError, SingleClassError, UsageError
from ..core.model import Model
from ..inputs import (
    TABLE_SUFFIXES,
    Samples,
    is_coco,
    is_dataset,
    is_hf_detection,
    is_saved_dataset,
    is_voc,
    parquet_files,
    read_coco,
    read_dataset,
    read_folder,
    read_hf_detection,
    read_live,
    read_npz,
    read_parquet,
    read_saved,
    read_table,
    read_voc,
)
from ..inputs.scenes import is_scenes, read_scenes

__all__ = ["check_labels", "class_names", "is_table", "read_data", "read_options", "require_classes"]

COLUMNS = ("text_column", "label_column", "image_column")


def read_data(data: Any, options: Mapping[str, Any]) -> Samples:
    """Samples of a path (folder, npz, table, saved data set; COCO, VOC and imagefolder with boxes), of made scenes
    ("scenes:digits?n=3000"), or of a live object (``Samples`` come back as they are).

    ``options``: ``classes`` (names in the model's order: a list, or a file), ``text_column``, ``label_column``,
    ``image_column``, ``split`` (a part of a folder, JSON object or DatasetDict), ``encoding`` (of csv and JSON),
    ``images`` (the folder of a COCO file's pictures); others are not looked at. Raises a ``DataError``.
    """
    if isinstance(data, Samples):
        return data
    classes = class_names(options.get("classes"))
    columns = {name: str(options[name]) for name in COLUMNS if options.get(name) is not None}
    split = str(options.get("split") or "")
    if is_scenes(data):
        return read_scenes(data)
    if is_dataset(data):
        return read_dataset(data, classes, split=split, **columns)
    if not isinstance(data, (str, Path)):
        return read_live(data, classes)
    path = Path(data)
    if not path.exists():
        raise DataNotFoundError(f"there is no data at {path}", "Check the path.")
    if path.is_dir():
        if is_saved_dataset(path):
            return read_saved(path, classes=classes, split=split, **columns)
        if shards := parquet_files(path, split):
            return read_parquet(shards, classes, **columns)
        if is_voc(path):
            return read_voc(path, split, classes)
        if is_hf_detection(path):
            return read_hf_detection(path, classes, split)
        return read_folder(path, classes, split)
    if path.suffix == ".npz":
        return read_npz(path, classes)
    if is_coco(path):
        return read_coco(path, _pictures(options), classes)
    if is_table(path):
        encoding = str(options.get("encoding") or "utf-8-sig")
        return read_table(path, classes, **columns, split=split, encoding=encoding)
    raise DataError(
        f"cannot read {path}: its ending is none of .npz, {', '.join(TABLE_SUFFIXES)}",
        "Give a folder with one folder per class, an .npz, a table, or a saved Hugging Face data set.",
    )


def _pictures(options: Mapping[str, Any]) -> Path | None:
    """Where the pictures of an annotation file lie, where the user names it (the option ``images``)."""
    return Path(str(options["images"])) if options.get("images") else None


def is_table(path: Path) -> bool:
    """True where the ending is that of a table, with or without ``.gz``."""
    return path.name.lower().removesuffix(".gz").endswith(TABLE_SUFFIXES)


def class_names(given: Any) -> tuple[str, ...]:
    """Names in the model's order, from a list, or a file: one a line, a JSON list, or a JSON object {number: name}."""
    if given is None or given == "":
        return ()
    if not isinstance(given, (str, Path)):
        return _checked(given, "the class names")
    try:
        text = Path(given).read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise DataNotFoundError(f"there is no file {given} with class names") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read class names from {given}: {error}") from error
    if text.lstrip().startswith(("[", "{")):
        try:
            return _checked(json.loads(text), str(given))
        except ValueError as error:
            raise DataError(f"{given} is not JSON: {error}", "Write one class name a line.") from error
    return _checked([line.strip() for line in text.splitlines() if line.strip()], str(given))


def _checked(given: Any, where: str) -> tuple[str, ...]:
    if isinstance(given, Mapping):
        keys = {str(k): v for k, v in given.items()}
        if set(keys) != {str(i) for i in range(len(keys))}:
            raise DataError(f"{where} number the classes {sorted(keys)[:5]}", "Number them from 0 without a gap.")
        given = [keys[str(i)] for i in range(len(keys))]
    names = tuple(str(n) for n in given)
    if len(set(names)) < len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise DataError(f"{where} hold {twice!r} twice", "Each output needs a name of its own.")
    return names


def read_options(model: Model, options: Mapping[str, Any]) -> dict[str, Any]:
    """``options`` with what the model itself knows of its classes, where the user names none.

    Placeholder names (LABEL_0, ...) and names that are not unique say nothing and are left out.
    """
    if options.get("classes"):
        return dict(options)
    names = [str(n) for n in model.origin.hints.get("classes") or ()]
    empty = all(re.fullmatch(r"LABEL_\d+", n) for n in names) or len(set(names)) < len(names)
    return {**options, "classes": None if empty else names}


def require_classes(samples: Samples) -> Samples:
    """``samples``, unless all its labels are equal. Raises ``SingleClassError``."""
    targets = samples.targets[samples.targets >= 0]
    if len(targets) and (targets == targets[0]).all():
        label = int(targets[0])
        name = samples.classes[label] if label < len(samples.classes) else str(label)
        raise SingleClassError(
            f"all {len(targets)} labels are {name!r}, so accuracy says nothing",
            "Give samples of at least two classes; a folder of images needs one folder per class.",
        )
    return samples


def check_labels(samples: Samples, model: Model) -> list[str]:
    """Warnings where the data's classes and the model's outputs differ in number.

    Raises ``LabelMismatchError`` where a label is beyond the outputs (as far as the signature says them).
    """
    if samples.has_objects:
        return []  # the task looks at the objects themselves
    sizes = [t.shape[1] for t in model.signature.outputs if len(t.shape) == 2]
    count = next((s for s in sizes if isinstance(s, int) and s > 0), 0)
    count = 2 if count == 1 else count
    if not count or not samples.labelled:
        return []
    top = int(samples.targets.max())
    if top >= count:
        raise LabelMismatchError(*beyond(top, count))
    named = len(samples.classes)
    if named and named != count and not (model.origin.hints.get("classes") and len(samples.classes) == count):
        return [
            f"the data has {named} classes and the model {count} outputs: class number i is taken as output i; "
            "if that is wrong, give the names in the model's order with --classes"
        ]
    return []


def beyond(label: int, count: int) -> tuple[str, str]:
    """What and fix for a label outside the outputs."""
    start = "Class numbers start at 0; these seem to start at 1. " if label == count else ""
    return (
        f"label {label} is beyond the model's {count} outputs (0 to {count - 1})",
        start + "Check that the data is this model's, or give class names in the order of its outputs with --classes.",
    )


def options_of(options: Mapping[str, Any], kind: str, known: frozenset[str]) -> dict[str, Any]:
    """The user's settings of ``kind`` ("image" or "text"): a preprocessing file's or mapping's, then the options'.

    A preprocessing file holds the settings themselves, or {"image": {...}}, or is a saved ``transform.json``.
    Raises ``UsageError`` for a file that cannot be read or says unknown things.
    """
    given = options.get("preprocessing") or {}
    if isinstance(given, (str, Path)):
        try:
            given = json.loads(Path(given).read_text(encoding="utf-8-sig"))
        except (OSError, ValueError) as error:
            raise UsageError(f"cannot read the preprocessing file {given}: {error}", "Give a JSON file.") from error
    if not isinstance(given, Mapping):
        raise UsageError(f"preprocessing is a {type(given).__name__}", "Give a JSON object.")
    if isinstance(given.get(kind), Mapping):
        given = given[kind]
    file = {k: v for k, v in given.items() if k not in ("schema", "kind", "input", "roles")}
    if unknown := sorted(set(file) - known):
        raise UsageError(f"the preprocessing says {unknown}", f"It may say: {', '.join(sorted(known))}.")
    direct = {k: options[k] for k in known if options.get(k) is not None}
    return {**{k: v for k, v in file.items() if v is not None}, **direct}
