"""Pascal VOC: ``Annotations/*.xml``, one a picture; pictures in ``JPEGImages/``, lists in ``ImageSets/Main/``."""

from __future__ import annotations

import itertools
import math
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.parsers import expat

import numpy as np

from ..core.errors import DataError, DataNotFoundError
from .annotations import Annotations, Pictures, inside, picture_samples
from .folder import IMAGE_SUFFIXES
from .labels import number_labels
from .samples import BadSample, Samples, check_bad

__all__ = ["is_voc", "read_voc"]

MAX_XML_BYTES = 16 << 20
Marked = tuple[str, tuple[float, float, float, float], bool]


def is_voc(folder: Path) -> bool:
    """True for a folder with ``Annotations/*.xml`` and ``JPEGImages/``."""
    folder = Path(folder)
    return (folder / "JPEGImages").is_dir() and any((folder / "Annotations").glob("*.xml"))


def read_voc(folder: Path, split: str = "", classes: Sequence[str] = ()) -> Samples:
    """One sample a picture, with its objects; ``split``: one of ``ImageSets/Main/*.txt``, or several ("val+test"),
    else all that have an XML file. VOC counts pixels from 1 and includes the last: xmin - 1, ymin - 1, xmax, ymax
    become the edges.

    ``difficult`` objects are ignored. Classes are the names that occur, sorted, or ``classes`` (the model's order).
    Raises ``DataNotFoundError``, ``DataError`` naming file and place, ``LabelMismatchError`` for a name not in
    ``classes``.
    """
    folder = Path(folder)
    if not is_voc(folder):
        raise DataNotFoundError(f"{folder} holds no Annotations/*.xml beside JPEGImages/")
    if split:
        stems = list(dict.fromkeys(itertools.chain(*(_listed(folder, name) for name in split.split("+")))))
    else:
        stems = sorted(p.stem for p in (folder / "Annotations").glob("*.xml"))
    every = {p.stem: p for p in (folder / "JPEGImages").iterdir() if p.suffix.lower() in IMAGE_SUFFIXES}
    warnings = []
    if not split and (alone := len(set(every) - set(stems))):
        warnings.append(f"{alone} picture(s) of {folder / 'JPEGImages'} have no XML file and are left out")
    bad, kept, files, sizes, found = [], [], [], [], []
    for stem in stems:
        path = folder / "Annotations" / f"{stem}.xml"
        if not path.is_file():
            bad.append(BadSample(stem, f"there is no {path.name} in Annotations"))
            continue
        name, size, objects = _read(path)
        kept.append(stem)
        files.append(every.get(stem) or inside(folder / "JPEGImages", name or f"{stem}.jpg", str(path)))
        sizes.append(size)
        found.append(objects)
    check_bad(bad, len(stems))
    pictures = Pictures.find(kept, files, sizes, str(folder))
    whose = [(i, j) for i, k in enumerate(pictures.kept) for j in range(len(found[k]))]
    flat = [found[pictures.kept[i]][j] for i, j in whose]
    numbers, known, notes = number_labels([name for name, _, _ in flat], (), classes)
    marked = Annotations(
        np.array([i for i, _ in whose], np.int64),
        np.array([box for _, box, _ in flat], np.float64).reshape(-1, 4),
        numbers,
        np.array([ignore for _, _, ignore in flat], bool),
        lambda m: f"{kept[pictures.kept[whose[m][0]]]}.xml, object {whose[m][1] + 1}",
    )
    origins = [str(f.relative_to(folder)) for f in pictures.files]
    return picture_samples(
        pictures.load, origins, pictures.sizes, marked, known or tuple(classes), str(folder), [*bad, *pictures.bad],
        warnings + notes,
    )  # fmt: skip


def _listed(folder: Path, split: str) -> list[str]:
    place = folder / "ImageSets" / "Main"
    path = inside(place, f"{split}.txt", "the option split")
    if not path.is_file():
        there = ", ".join(sorted(p.stem for p in place.glob("*.txt"))[:20]) or "none"
        raise DataNotFoundError(f"there is no list {path}", f"There are: {there}.")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    stems = [line.split()[0] for line in lines if line.strip()]
    for stem in stems:
        inside(folder, stem, str(path))
    if not stems:
        raise DataError(f"{path} lists no picture")
    return stems


def _read(path: Path) -> tuple[str, tuple[int, int] | None, list[Marked]]:
    """File name, size where it is said (many tools write 0), objects."""
    root = _tree(path)
    if root.tag != "annotation":
        raise DataError(f"{path} holds <{root.tag}>, not <annotation>", "Give Pascal VOC files.")
    said = [_number(root.findtext(f"size/{side}")) for side in ("height", "width")]
    size = (int(said[0]), int(said[1])) if all(math.isfinite(s) and s >= 1 for s in said) else None
    objects = []
    for j, item in enumerate(root.findall("object"), 1):
        name, box = (item.findtext("name") or "").strip(), item.find("bndbox")
        if not name or box is None:
            raise DataError(f"{path}, object {j}: no {'<bndbox>' if name else '<name>'}", "Each object needs both.")
        x1, y1, x2, y2 = (
            _coordinate(box.findtext(edge), f"{path}, object {j}: <{edge}>")
            for edge in ("xmin", "ymin", "xmax", "ymax")
        )
        # a box of one pixel is a slip of the mouse, and is left out as one without area
        start = (x1 - 1, y1 - 1) if x2 > x1 and y2 > y1 else (x1, y1)
        objects.append((name, (*start, x2, y2), (item.findtext("difficult") or "").strip() == "1"))
    return (root.findtext("filename") or "").strip(), size, objects


def _tree(path: Path) -> ET.Element:
    """The file's tree. A document type, where entities are declared, is refused: VOC has none."""
    try:
        if path.stat().st_size > MAX_XML_BYTES:
            raise DataError(f"{path} is larger than {MAX_XML_BYTES >> 20} MB", "Give one XML file a picture.")
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error

    def refuse(*_: Any) -> None:
        raise DataError(f"{path} declares a document type, which is not read", "Remove the <!DOCTYPE ...>.")

    builder, parser = ET.TreeBuilder(), expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # a wrong encoding is one of the latter two
        raise DataError(f"{path} is not XML: {error}") from error
    return builder.close()


def _coordinate(text: str | None, where: str) -> float:
    try:
        return float(text or "")
    except ValueError as error:
        raise DataError(f"{where} is {text!r}", "Write a number of pixels.") from error


def _number(text: str | None) -> float:
    try:
        return float(text or "")
    except ValueError:
        return math.nan  # the file's header is asked then
