"""A folder of pictures with ``metadata.jsonl``, as Hugging Face's imagefolder takes it for object detection."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..core.errors import DataError, DataNotFoundError
from .annotations import Pictures, inside, picture_samples
from .cells import holds_boxes, mark_cells
from .samples import Samples

__all__ = ["is_hf_detection", "read_hf_detection"]

MAX_BYTES = 1 << 30
LONGEST_LINE = 16 << 20


def is_hf_detection(folder: Path) -> bool:
    """True where ``metadata.jsonl`` in the folder, or in one below it, starts with a row that has boxes."""
    folder = Path(folder)
    return any(_starts_with_boxes(path) for path in [folder / "metadata.jsonl", *folder.glob("*/metadata.jsonl")])


def read_hf_detection(folder: Path, classes: Sequence[str] = (), split: str = "") -> Samples:
    """One sample a row of ``metadata.jsonl``: ``file_name`` relative to it, ``objects`` as ``cells.mark_cells`` takes
    them. ``split``: a folder below. A picture that is listed twice counts once, with the objects of both rows.

    Raises ``DataNotFoundError``, ``DataError`` naming the line, ``LabelMismatchError`` for a name not in ``classes``.
    """
    folder = Path(folder)
    root = inside(folder, split, "the option split") if split else folder
    path = root / "metadata.jsonl"
    if not path.is_file():
        there = sorted(p.parent.name for p in folder.glob("*/metadata.jsonl"))
        raise DataNotFoundError(
            f"there is no {path}", f"Name one of the splits: {', '.join(there)}." if there else "Check the path."
        )
    cells: dict[str, list[Any]] = {}
    lines: dict[str, int] = {}
    for number, row in _rows(path):
        name = row.get("file_name")
        if not isinstance(name, str):
            raise DataError(f"{path}:{number} has file_name {name!r}", "Name the picture, relative to the file.")
        if not (row.get("objects") is None or holds_boxes(row["objects"]) or row["objects"] == []):
            raise DataError(f"{path}:{number}: objects have no bbox", 'Give {"bbox": [...], "category": [...]}.')
        lines.setdefault(name, number)
        cells.setdefault(name, []).append(row.get("objects"))
    names = list(cells)
    pictures = Pictures.find(
        names, [inside(root, n, f"{path}:{lines[n]}") for n in names], [None] * len(names), str(path)
    )
    kept = [names[i] for i in pictures.kept]
    pairs = [(i, cell) for i, name in enumerate(kept) for cell in _different(cells[name])]
    place = [i for i, _ in pairs]
    marked, known, notes = mark_cells(
        [cell for _, cell in pairs], lambda k: f"{path.name}:{lines[kept[place[k]]]}", (), classes
    )
    marked = marked.of_pictures(place)
    warnings = []
    if repeats := sum(len(c) - 1 for c in cells.values()):
        warnings.append(f"{repeats} picture(s) of {path} are listed twice and used once")
    origins = [f"{split}/{name}" if split else name for name in kept]
    return picture_samples(
        pictures.load, origins, pictures.sizes, marked, known, str(path), pictures.bad, warnings + notes
    )  # fmt: skip


def _different(cells: Sequence[Any]) -> list[Any]:
    return [cell for i, cell in enumerate(cells) if cell not in cells[:i]]


def _rows(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """Line numbers from 1, and what the lines hold."""
    if path.stat().st_size > MAX_BYTES:
        raise DataError(f"{path} is larger than {MAX_BYTES >> 20} MB", "Split it.")
    rows = []
    number = 0
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    rows.append((number, json.loads(line)))
                    if not isinstance(rows[-1][1], dict):
                        raise DataError(f"{path}:{number} is a {type(rows[-1][1]).__name__}, not an object")
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}:{number} is not JSON: {error}", "Write one object a line.") from error
    return rows


def _starts_with_boxes(path: Path) -> bool:
    """Whether one of the first rows that has objects has boxes."""
    if not path.is_file():
        return False
    try:
        with path.open(encoding="utf-8-sig") as file:
            for _ in range(100):
                line = file.readline(LONGEST_LINE)
                row = json.loads(line) if line.strip() else None
                if not isinstance(row, dict) or "objects" not in row:
                    return False
                if row["objects"]:
                    return holds_boxes(row["objects"])
    except (OSError, ValueError, RecursionError):
        return False  # the reader tells what is wrong with the file
    return False
