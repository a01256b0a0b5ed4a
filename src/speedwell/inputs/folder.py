"""A folder per class, or a flat folder of unlabelled images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..core.errors import CorruptSampleError, DataError, DataNotFoundError
from .decode import MAX_IMAGE_BYTES
from .labels import number_labels
from .samples import Samples

__all__ = ["IMAGE_SUFFIXES", "is_image_folder", "read_folder", "read_image"]

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
SPLIT_NAMES = frozenset({"train", "training", "test", "testing", "val", "valid", "validation", "dev"})


def is_image_folder(path: Path) -> bool:
    """True where ``path`` or a folder one or two levels below it holds an image."""
    for depth in ("*", "*/*", "*/*/*"):
        for n, file in enumerate(path.glob(depth)):
            if file.suffix.lower() in IMAGE_SUFFIXES:
                return True
            if n > 2000:
                break
    return False


def read_folder(path: Path, classes: Sequence[str] = (), split: str = "") -> Samples:
    """Images below ``path`` (or ``path/split``), class = the first folder below it, classes in sorted order.

    ``classes``: names in the model's order, to match the folder names with. Hidden folders and other files are left
    out. Images beside no folder are unlabelled. Raises a ``DataError`` where there is no image, where folders look
    like splits and none was named, or ``LabelMismatchError`` for a folder that is no class.
    """
    root = path / split if split else path
    if not root.is_dir():
        raise DataNotFoundError(
            f"there is no folder {root}", f"There are: {', '.join(_subfolders(path)) or 'none'}." if split else ""
        )
    names = _subfolders(root)
    if names and {n.lower() for n in names} <= SPLIT_NAMES:
        raise DataError(
            f"{root} holds {', '.join(names)}, which look like splits and not like classes",
            f"Name one of them: {root / names[0]}; others can go to --confirmation or --selection.",
        )
    files: list[Path] = []
    labels: list[str | None] = []
    counts: dict[str, int] = {}
    for name in names:
        found = _images(root / name)
        counts[name] = len(found)
        files += found
        labels += [name] * len(found)
    loose = sorted(f for f in root.iterdir() if f.is_file() and f.suffix.lower() in IMAGE_SUFFIXES)
    warnings = []
    if not files:
        files, labels, names = loose, [None] * len(loose), []
    elif loose:
        warnings.append(f"{len(loose)} image(s) of {root} lie in no class folder and are left out")
    if not files:
        raise DataError(
            f"{root} holds no image", f"Put images into one folder per class; {', '.join(sorted(IMAGE_SUFFIXES))}."
        )
    if empty := [n for n in names if not counts[n]]:
        warnings.append(f"class folder(s) without an image: {', '.join(empty[:5])}")
    targets, known, notes = number_labels(labels, names, classes) if names else number_labels(labels)
    origins = [str(f.relative_to(path)) for f in files]
    return Samples(lambda i: read_image(files[i]), targets, origins, known, (), warnings + notes)


def read_image(file: Path) -> bytes:
    """An image file, encoded as it is. Raises ``CorruptSampleError`` for one that is too large, ``OSError``."""
    if file.stat().st_size > MAX_IMAGE_BYTES:
        raise CorruptSampleError(f"larger than {MAX_IMAGE_BYTES >> 20} MB")
    return file.read_bytes()


def _subfolders(path: Path) -> list[str]:
    if not path.is_dir():
        return []
    return sorted(p.name for p in path.iterdir() if p.is_dir() and not p.name.startswith((".", "__")))


def _images(folder: Path) -> list[Path]:
    found = []
    for place, inner, files in os.walk(folder):
        inner[:] = sorted(d for d in inner if not d.startswith((".", "__")))
        found += [Path(place) / f for f in files if Path(f).suffix.lower() in IMAGE_SUFFIXES and not f.startswith(".")]
    return sorted(found)
