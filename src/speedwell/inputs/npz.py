"""``.npz`` files: encoded images end to end, or plain arrays. Nothing in them is unpickled."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import DataError, DataNotFoundError
from .labels import number_labels
from .samples import Samples

__all__ = ["read_npz"]

LABELS = ("labels", "label", "targets", "target", "y")
MAX_BYTES = 16 << 30


def read_npz(path: Path, classes: Sequence[str] = ()) -> Samples:
    """Samples of one ``.npz``. Layouts, each with optional ``labels`` [n] and ``classes`` (names in number order):

    - ``blob`` uint8 (all encoded images end to end) and ``offsets`` int64 [n+1]: raw = encoded bytes;
    - ``images`` [n, ...]: raw = one array (uint8 [H,W,C] pixels, or floats as the model takes them);
    - any other arrays of one length: raw = a mapping of arrays by name.

    ``classes``: names in the model's order. Raises ``DataNotFoundError``, or ``DataError`` for another layout.
    """
    arrays = _load(path)
    own = tuple(str(c) for c in arrays.pop("classes")) if "classes" in arrays else ()
    key = next((k for k in LABELS if k in arrays), None)
    labels = None if key is None else arrays.pop(key)
    if {"blob", "offsets"} <= arrays.keys():
        count, load = _encoded_images(path, arrays["blob"], arrays["offsets"])
    elif "images" in arrays:
        images = arrays["images"]
        count, load = len(images), images.__getitem__
    else:
        count, load = _mappings(path, arrays)
    if labels is not None and labels.shape != (count,):
        raise DataError(f"{path}: labels have shape {labels.shape} for {count} samples", "Give one label a sample.")
    if labels is not None and labels.dtype.kind not in "iubUS":
        raise DataError(f"{path}: labels are {labels.dtype}", "Give class numbers or class names.")
    if count == 0:
        raise DataError(f"{path} holds no sample")
    values: list[Any] = [None] * count
    if labels is not None:
        values = [v.decode() if isinstance(v, bytes) else v for v in labels.tolist()]
    targets, known, warnings = number_labels(values, own, classes)
    return Samples(load, targets, [f"{path.name}:{i}" for i in range(count)], known, (), warnings)


def _load(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise DataNotFoundError(f"there is no file {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > MAX_BYTES:
            raise DataError(f"{path} unpacks to {size >> 30} GB, more than {MAX_BYTES >> 30}")
        with np.load(path, allow_pickle=False) as file:
            return {name: np.asarray(file[name]) for name in file.files}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(
            f"cannot read {path}: {error}",
            "Save plain arrays with numpy.savez (no object arrays): blob and offsets, or images, and labels.",
        ) from error


def _encoded_images(path: Path, blob: np.ndarray, offsets: np.ndarray) -> tuple[int, Any]:
    sound = (
        blob.dtype == np.uint8
        and blob.ndim == 1
        and offsets.ndim == 1
        and offsets.dtype.kind in "iu"
        and len(offsets) >= 1
        and int(offsets[0]) >= 0
        and int(offsets[-1]) <= len(blob)
        and bool((offsets[1:] >= offsets[:-1]).all())
    )
    if not sound:
        raise DataError(
            f"{path}: offsets do not fit the blob", "blob: uint8, all files end to end; offsets: rising, n+1 of them."
        )
    return len(offsets) - 1, lambda i: blob[int(offsets[i]) : int(offsets[i + 1])].tobytes()


def _mappings(path: Path, arrays: dict[str, np.ndarray]) -> tuple[int, Any]:
    lengths = {len(a) if a.ndim else -1 for a in arrays.values()}
    if len(lengths) != 1 or -1 in lengths:
        raise DataError(
            f"{path} holds {', '.join(f'{k} {list(a.shape)}' for k, a in arrays.items()) or 'no array'}",
            "Give blob and offsets, or images, or arrays of one length named as the model's inputs; and labels.",
        )
    return lengths.pop(), lambda i: {name: array[i] for name, array in arrays.items()}
