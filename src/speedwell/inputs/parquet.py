"""Parquet files, one or several shards, as Hugging Face and pandas write them. Needs pyarrow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..core.errors import CorruptSampleError, DataError
from ..core.extras import try_import
from .cells import CATEGORY_NAMES, cell_samples, holds_boxes, objects_column
from .columns import choose_columns, choose_image
from .labels import number_labels
from .samples import BadSample, Samples, check_bad

__all__ = ["parquet_columns", "parquet_files", "read_parquet"]


def parquet_files(folder: Path, split: str = "") -> list[Path]:
    """The shards of a folder (its ``data/`` included), those that start with ``split`` where it is given."""
    files = sorted([*folder.glob("*.parquet"), *folder.glob("*/*.parquet")])
    return [f for f in files if f.name.startswith(split) or f.parent.name == split]


def parquet_columns(path: Path) -> list[str]:
    """The columns of one file."""
    return list(_open(path).schema_arrow.names)


def read_parquet(
    paths: Sequence[Path],
    classes: Sequence[str] = (),
    text_column: str = "",
    label_column: str = "",
    image_column: str = "",
) -> Samples:
    """Samples of all rows of ``paths``, end to end. An image cell is {"bytes", "path"} or bytes; paths in it are
    taken relative to the file. Class names come from the Hugging Face metadata, where it is there.
    With a column ``objects`` of boxes, and no other label column named, it is object detection; see
    ``cells.mark_cells``. Texts and images stay in Arrow's memory until read.
    Raises a ``DataError``, ``MissingExtraError`` for pyarrow.
    """
    first = _open(paths[0])
    names = list(first.schema_arrow.names)
    objects = objects_column(names, label_column)
    if objects and not text_column and _any_boxes(paths, objects):
        return _boxed(paths, objects, classes, choose_image(names, str(paths[0]), image_column))
    columns = choose_columns(names, str(paths[0]), text_column, label_column, image_column)
    wanted = [*columns.inputs, *([columns.label] if columns.label else [])]
    table, owners = _rows(paths, wanted)
    cells = [table.column(c) for c in columns.inputs]
    labels = table.column(columns.label).to_pylist() if columns.label else [None] * len(owners)
    good, bad = [], []
    for row, (path, i) in enumerate(owners):
        if not all(cell[row].is_valid for cell in cells):
            bad.append(BadSample(f"{path.name}:{i}", f"nothing in {', '.join(columns.inputs)}"))
        else:
            good.append(row)
    check_bad(bad, len(owners))
    if not good:
        raise DataError(f"{paths[0]} holds no row")

    def load(k: int) -> Any:
        values = [cell[good[k]].as_py() for cell in cells]
        if columns.image:
            return _image(values[0], owners[good[k]][0].parent)
        if not all(isinstance(v, str) for v in values):
            raise CorruptSampleError(f"column {columns.inputs[0]!r} holds a {type(values[0]).__name__}, not a text")
        return values[0] if len(values) == 1 else tuple(values)

    own = _class_names(first, columns.label)
    targets, known, warnings = number_labels([labels[r] for r in good], own, classes)
    origins = [f"{owners[r][0].name}:{owners[r][1]}" for r in good]
    return Samples(load, targets, origins, known, bad, warnings)


def _rows(paths: Sequence[Path], columns: Sequence[str]) -> tuple[Any, list[tuple[Path, int]]]:
    """The table of ``columns`` of all files, and whose row each of its rows is."""
    pa = try_import("pyarrow")
    try:
        table = pa.concat_tables([_open(p).read(columns=list(columns)) for p in paths])
    except (pa.ArrowException, OSError, KeyError) as error:
        raise DataError(f"cannot read {paths[0].parent}: {error}", "All files need the same columns.") from error
    return table, [(p, i) for p in paths for i in range(_open(p).metadata.num_rows)]


def _any_boxes(paths: Sequence[Path], column: str) -> bool:
    """Whether the first cell of ``column`` that holds anything holds boxes. Only that column is read."""
    for cell in _rows(paths, [column])[0].column(column):
        if value := cell.as_py():
            return holds_boxes(value)
    return False


def _boxed(paths: Sequence[Path], objects: str, classes: Sequence[str], image: str) -> Samples:
    """Pictures with boxes. Sizes come from columns called height and width, where they are there."""
    first = _open(paths[0])
    sides = [c for c in ("height", "width") if {"height", "width"} <= set(first.schema_arrow.names)]
    table, owners = _rows(paths, [image, objects, *sides])
    pictures = table.column(image)
    said = list(zip(*(table.column(c).to_pylist() for c in sides), strict=True)) if sides else None
    return cell_samples(
        lambda i: _image(pictures[i].as_py(), owners[i][0].parent),
        [f"{path.name}:{i}" for path, i in owners],
        table.column(objects).to_pylist(),
        said,
        _class_names(first, objects),
        classes,
        str(paths[0]),
    )


def _open(path: Path) -> Any:
    pa, pq = try_import("pyarrow"), try_import("pyarrow.parquet")
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"cannot read {path}: {error}") from error


def _image(cell: Any, folder: Path) -> bytes:
    if isinstance(cell, dict):
        data, name = cell.get("bytes"), cell.get("path")
        if data is None and name:
            place = (folder / str(name)).resolve()
            if not place.is_relative_to(folder.resolve()):
                raise CorruptSampleError(f"the image path {name!r} leads outside the data's folder")
            return place.read_bytes()
        cell = data
    if not isinstance(cell, bytes):
        raise CorruptSampleError(f"an image cell holds {type(cell).__name__}, not encoded bytes")
    return cell


def _class_names(file: Any, label: str) -> tuple[str, ...]:
    """Names of the ``ClassLabel`` that is, or lies in, a column, from the metadata that datasets writes; none where
    it is missing.
    """
    raw = (file.schema_arrow.metadata or {}).get(b"huggingface")
    try:
        features = json.loads(raw)["info"]["features"] if raw else {}
        return _names_in(features.get(label))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ()  # another writer's metadata: the labels then speak for themselves


def _names_in(feature: Any) -> tuple[str, ...]:
    if not isinstance(feature, (dict, list)):
        return ()
    if isinstance(feature, dict):
        if isinstance(feature.get("names"), list):
            return tuple(map(str, feature["names"]))
        keys = sorted(feature, key=lambda k: k not in CATEGORY_NAMES)  # the category, not another label
        feature = [feature[k] for k in keys]
    return next((names for part in feature if (names := _names_in(part))), ())
