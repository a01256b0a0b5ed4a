"""csv, tsv, JSON, JSON lines and parquet files of texts (or of encoded images) and labels; ``.gz`` of each."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..core.errors import DataError, DataNotFoundError
from .columns import LABEL_NAMES, TEXT_NAMES, choose_columns
from .labels import number_labels
from .samples import BadSample, Samples, check_bad

__all__ = ["TABLE_SUFFIXES", "column_names", "read_table"]

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")
MAX_FIELD = 16 << 20
MAX_UNPACKED = 4 << 30
Row = tuple[str, Sequence[str] | Mapping[str, Any] | str]
"""Origin; then cells, an object, or (for a row that cannot be read) the reason as a string."""


def read_table(
    path: Path,
    classes: Sequence[str] = (),
    text_column: str = "",
    label_column: str = "",
    image_column: str = "",
    split: str = "",
    encoding: str = "utf-8-sig",
) -> Samples:
    """One sample a row. Columns by name or guessed (``choose_columns``); a table without a header has columns "0",
    "1", ... ``split`` names a list inside a JSON object. Two text columns ("a,b") give pairs of strings.
    Rows that cannot be read, or without a text, are listed in ``bad``.

    Raises a ``DataError``: file missing or unreadable, columns not found (listed), too many bad rows.
    """
    if not path.is_file():
        raise DataNotFoundError(f"there is no file {path}")
    kind = _kind(path)
    if kind == ".parquet":
        from .parquet import read_parquet

        return read_parquet([path], classes, text_column, label_column, image_column)
    if image_column:
        raise DataError(f"{path} cannot hold images", "Use a folder per class, npz or parquet.")
    names, rows, bad = _rows(path, kind, split, encoding)
    if not text_column and not label_column and names == ["0", "1"]:
        text_column, label_column = _by_length(rows)
    columns = choose_columns(names, str(path), text_column, label_column)
    if columns.image:
        raise DataError(f"{path} cannot hold images", "Use a folder per class, npz or parquet; or --text-column.")
    raws: list[Any] = []
    labels: list[Any] = []
    origins: list[str] = []
    for origin, row in rows:
        texts = [row.get(c) for c in columns.inputs]
        if not all(isinstance(t, str) and t.strip() for t in texts):
            bad.append(BadSample(origin, f"no text in {', '.join(columns.inputs)}"))
            continue
        label = row.get(columns.label) if columns.label else None
        if isinstance(label, (list, dict, float)) and not (isinstance(label, float) and label == int(label)):
            bad.append(BadSample(origin, f"the label is {label!r}, not one class"))
            continue
        raws.append(texts[0] if len(texts) == 1 else tuple(texts))
        labels.append(None if label is None or label == "" else int(label) if isinstance(label, float) else label)
        origins.append(origin)
    check_bad(bad, len(raws) + len(bad))
    if not raws:
        raise DataError(f"{path} holds no row", "Give a header and one row per sample.")
    targets, known, warnings = number_labels(labels, (), classes)
    return Samples(raws.__getitem__, targets, origins, known, bad, warnings)


def column_names(path: Path, split: str = "", encoding: str = "utf-8-sig") -> list[str]:
    """The table's columns."""
    if _kind(path) == ".parquet":
        from .parquet import parquet_columns

        return parquet_columns(path)
    return _rows(path, _kind(path), split, encoding)[0]


def _kind(path: Path) -> str:
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if suffix not in TABLE_SUFFIXES:
        raise DataError(f"{path} is no table", f"Tables end in {', '.join(TABLE_SUFFIXES)}, or these with .gz.")
    return suffix


def _rows(
    path: Path, kind: str, split: str, encoding: str
) -> tuple[list[str], list[tuple[str, dict[str, Any]]], list[BadSample]]:
    text = _text(path, encoding)
    if kind in (".csv", ".tsv"):
        found = list(_csv_rows(path.name, text, "\t" if kind == ".tsv" else _delimiter(text)))
    else:
        found = list(_json_rows(path.name, text, split))
    bad = [BadSample(origin, row) for origin, row in found if isinstance(row, str)]
    objects = [(origin, dict(row)) for origin, row in found if isinstance(row, Mapping)]
    cells = [(origin, row) for origin, row in found if isinstance(row, (list, tuple))]
    if objects:
        names = list(dict.fromkeys(k for _, row in objects for k in row))
        return names, objects, bad
    if not cells:
        return [], [], bad
    header: list[str] = [str(c) for c in cells[0][1]]
    if kind.startswith(".js") or not _is_header(header, [row for _, row in cells[1:2000]]):
        header = [str(i) for i in range(len(header))]
    else:
        cells = cells[1:]
    rows = []
    for origin, row in cells:
        if len(row) == len(header):
            rows.append((origin, dict(zip(header, row, strict=True))))
        else:
            bad.append(BadSample(origin, f"{len(row)} columns instead of {len(header)}"))
    return header, rows, bad


def _text(path: Path, encoding: str) -> str:
    try:
        if path.name.endswith(".gz"):
            with gzip.open(path) as f:
                data = f.read(MAX_UNPACKED + 1)
            if len(data) > MAX_UNPACKED:
                raise DataError(f"{path} unpacks to more than {MAX_UNPACKED >> 30} GB")
        else:
            data = path.read_bytes()
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        fixed = f"iconv -f latin1 -t utf-8 {path.name} > utf8-{path.name}"
        raise DataError(f"{path} is not {encoding.removesuffix('-sig')}: {error}", f"Convert it: {fixed}") from error
    except LookupError as error:
        raise DataError(f"no encoding is named {encoding!r}") from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"cannot read {path}: {error}") from error


def _delimiter(text: str) -> str:
    """What separates the first line: the comma, unless another sign is there and the comma is not."""
    line = text[: text.find("\n")] if "\n" in text else text
    return next((d for d in (",", "\t", ";", "|") if d in line), ",")


def _csv_rows(name: str, text: str, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(max(csv.field_size_limit(), MAX_FIELD))
    # a tsv seldom quotes, and then a lone quote would swallow the rows after it
    lone = delimiter == "\t" and not _quotes(text)
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, quoting=csv.QUOTE_NONE if lone else csv.QUOTE_MINIMAL
    )
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield f"{name}:{reader.line_num}", f"not csv: {error}"
            continue
        if row and row != [""]:
            yield f"{name}:{reader.line_num}", row


def _quotes(text: str) -> bool:
    """True where cells of a tsv open and close with quotes, as a writer that quotes does it."""
    head = text[: 1 << 20].split("\n")[:2000]
    cells = [c for line in head for c in line.rstrip("\r").split("\t") if c.startswith('"')]
    return bool(cells) and all(len(c) > 1 and c.endswith('"') for c in cells)


def _json_rows(name: str, text: str, split: str) -> Iterator[Row]:
    start = text.lstrip()[:1]
    whole: Any = None
    if start in ("[", "{"):
        try:
            whole = json.loads(text)
        except ValueError:
            whole = None  # JSON lines: each line is read by itself below
    if isinstance(whole, dict) and any(isinstance(v, list) for v in whole.values()):
        lists = {k: v for k, v in whole.items() if isinstance(v, list)}
        if not split and len(lists) > 1:
            raise DataError(f"{name} holds several lists: {', '.join(lists)}", "Name one with the option split.")
        if split and split not in lists:
            raise DataError(f"{name} holds no list {split!r}; there are {', '.join(lists)}")
        chosen = split or next(iter(lists))
        name, whole = f"{name}:{chosen}", lists[chosen]
    if isinstance(whole, list):
        for i, item in enumerate(whole):
            yield f"{name}:{i}", item if isinstance(item, (dict, list)) else "neither an object nor a list"
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                item = json.loads(line)
            except ValueError as error:
                yield f"{name}:{number}", f"not JSON: {error}"
                continue
            yield f"{name}:{number}", item if isinstance(item, (dict, list)) else "neither an object nor a list"


def _is_header(first: Sequence[str], later: Sequence[Any]) -> bool:
    """A usual column name says yes; a cell that comes again in its own column says that it is data."""
    if {c.strip().lower() for c in first} & {*TEXT_NAMES, *LABEL_NAMES}:
        return True
    again = any(len(row) > i and row[i] == cell for i, cell in enumerate(first) for row in later)
    return not again and not any(cell.strip().lstrip("+-").isdigit() for cell in first)


def _by_length(rows: Sequence[tuple[str, Mapping[str, Any]]]) -> tuple[str, str]:
    """Of two columns without names, the one with the longer cells is the text."""
    total = {c: sum(len(str(row[c])) for _, row in rows[:2000] if c in row) for c in ("0", "1")}
    return ("0", "1") if total["0"] >= total["1"] else ("1", "0")
