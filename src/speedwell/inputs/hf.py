"""Hugging Face datasets: a folder written by ``save_to_disk``, or a live ``Dataset``. Nothing is downloaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..core.errors import CorruptSampleError, DataError
from ..core.extras import try_import
from .cells import CATEGORY_NAMES, cell_samples, holds_boxes, objects_column
from .columns import choose_columns, choose_image
from .labels import number_labels
from .samples import BadSample, Samples, check_bad

__all__ = ["is_dataset", "is_saved_dataset", "read_dataset", "read_saved"]


def is_saved_dataset(path: Path) -> bool:
    """True for a folder that ``Dataset.save_to_disk`` or ``DatasetDict.save_to_disk`` wrote."""
    return (path / "dataset_dict.json").is_file() or (
        (path / "dataset_info.json").is_file() and (path / "state.json").is_file()
    )


def is_dataset(data: Any) -> bool:
    """True for a live ``datasets.Dataset``, ``DatasetDict`` or streaming form, judged without importing datasets."""
    return type(data).__module__.partition(".")[0] == "datasets"


def read_saved(path: Path, **options: Any) -> Samples:
    """``read_dataset`` of a saved folder. Raises ``MissingExtraError`` without datasets, ``DataError`` if damaged."""
    datasets = try_import("datasets")
    try:
        data = datasets.load_from_disk(str(path))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"cannot read the data set {path}: {error}", "Save it again with save_to_disk.") from error
    return read_dataset(data, where=str(path), **options)


def read_dataset(
    data: Any,
    classes: Sequence[str] = (),
    text_column: str = "",
    label_column: str = "",
    image_column: str = "",
    split: str = "",
    where: str = "the data set",
) -> Samples:
    """One sample a row; images stay encoded. ``split`` picks one of a ``DatasetDict``; class names come from a
    ``ClassLabel``. With a column ``objects`` of boxes, and no other label column named, it is object detection; see
    ``cells.mark_cells``.

    Raises ``DataError`` for a streaming data set, an unnamed split, or columns that cannot be told.
    """
    datasets = try_import("datasets")
    if isinstance(data, (datasets.DatasetDict, datasets.IterableDatasetDict)):
        if split and split not in data:
            raise DataError(f"{where} has no split {split!r}; it has {', '.join(data)}")
        if not split and len(data) > 1:
            raise DataError(f"{where} has several splits: {', '.join(data)}", "Name one with the option split.")
        data = data[split or next(iter(data))]
    if not isinstance(data, datasets.Dataset):
        raise DataError(
            f"{where} is a {type(data).__name__}",
            "Give a Dataset with a length: datasets.Dataset.from_list(list(data.take(5000)))",
        )
    features = data.features
    pictures = [n for n, f in features.items() if isinstance(f, datasets.Image)]
    if not image_column and not text_column and len(pictures) == 1:
        image_column = pictures[0]
    objects = objects_column(data.column_names, label_column)
    if objects and not text_column:
        cells = data.select_columns([objects]).with_format(None)[objects][:]
        if holds_boxes(next((c for c in cells if c), None)):
            return _boxed(data, cells, _category_names(features[objects]), classes, image_column, where)
    columns = choose_columns(data.column_names, where, text_column, label_column, image_column)
    wanted = [*columns.inputs, *([columns.label] if columns.label else [])]
    table = data.select_columns(wanted).with_format(None)
    if columns.image and isinstance(features[columns.inputs[0]], datasets.Image):
        table = table.cast_column(columns.inputs[0], datasets.Image(decode=False))
    labels = table[columns.label][:] if columns.label else [None] * len(table)
    bad: list[BadSample] = []
    good = list(range(len(table)))
    if not columns.image:
        texts = list(zip(*(table[c][:] for c in columns.inputs), strict=True))
        good = [i for i, row in enumerate(texts) if all(isinstance(t, str) for t in row)]
        held = set(good)
        bad = [BadSample(f"row {i}", "no text") for i in range(len(table)) if i not in held]
        check_bad(bad, len(table))
    if not good:
        raise DataError(f"{where} holds no row")

    def load(k: int) -> Any:
        row = table[good[k]]
        values = [row[c] for c in columns.inputs]
        if not columns.image:
            return values[0] if len(values) == 1 else tuple(values)
        return _image(values[0])

    label = features.get(columns.label) if columns.label else None
    own = tuple(label.names) if isinstance(label, datasets.ClassLabel) else ()
    targets, known, warnings = number_labels([labels[i] for i in good], own, classes)
    return Samples(load, targets, [f"row {i}" for i in good], known, bad, warnings)


def _image(cell: Any) -> Any:
    if isinstance(cell, dict):
        if cell.get("bytes") is not None:
            return cell["bytes"]
        if not cell.get("path"):
            raise CorruptSampleError("an image cell is empty")
        return Path(cell["path"]).read_bytes()
    if cell is None:
        raise CorruptSampleError("an image cell is empty")
    return cell


def _boxed(
    data: Any, cells: Sequence[Any], names: Sequence[str], classes: Sequence[str], image_column: str, where: str
) -> Samples:
    """Pictures with boxes. Sizes come from columns called height and width, where they are there."""
    datasets = try_import("datasets")
    image = choose_image(data.column_names, where, image_column)
    pictures = data.select_columns([image]).with_format(None)
    if isinstance(data.features[image], datasets.Image):
        pictures = pictures.cast_column(image, datasets.Image(decode=False))
    said = None
    if {"height", "width"} <= set(data.column_names):
        sides = data.select_columns(["height", "width"]).with_format(None)
        said = list(zip(sides["height"][:], sides["width"][:], strict=True))
    origins = [f"row {i}" for i in range(len(cells))]
    return cell_samples(lambda i: _image(pictures[i][image]), origins, cells, said, names, classes, where)


def _category_names(feature: Any) -> tuple[str, ...]:
    """Names of the ``ClassLabel`` inside a column of objects, however it is nested; none where it holds none."""
    if hasattr(feature, "names") and not isinstance(feature, dict):
        return tuple(map(str, feature.names or ()))
    if isinstance(feature, dict):
        return next((n for key in CATEGORY_NAMES if key in feature and (n := _category_names(feature[key]))), ())
    inner = feature[0] if isinstance(feature, list) and feature else getattr(feature, "feature", None)
    return () if inner is None else _category_names(inner)
