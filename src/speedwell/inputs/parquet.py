"""Parquet files, one or several shards, as Hugging Face and pandas write them. Needs pyarrow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..core.errors import CorruptSampleError, DataError
from ..core.extras import try_import
from .columns import choose_columns
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
    Texts and images stay in Arrow's memory until read. Raises a ``DataError``, ``MissingExtraError`` for pyarrow.
    """
    pa = try_import("pyarrow")
    first = _open(paths[0])
    names = list(first.schema_arrow.names)
    columns = choose_columns(names, str(paths[0]), text_column, label_column, image_column)
    wanted = [*columns.inputs, *([columns.label] if columns.label else [])]
    try:
        table = pa.concat_tables([_open(p).read(columns=wanted) for p in paths])
    except (pa.ArrowException, OSError, KeyError) as error:
        raise DataError(f"cannot read {paths[0].parent}: {error}", "All files need the same columns.") from error
    owners = [(p, i) for p in paths for i in range(_open(p).metadata.num_rows)]
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
    """Names of a ``ClassLabel`` from the metadata that datasets writes; none where it is missing."""
    raw = (file.schema_arrow.metadata or {}).get(b"huggingface")
    try:
        features = json.loads(raw)["info"]["features"] if raw else {}
        return tuple(str(n) for n in features[label].get("names") or ())
    except (ValueError, KeyError, TypeError, AttributeError):
        return ()  # another writer's metadata: the labels then speak for themselves
