"""``Transform``: what happens to a raw sample on its way into the network, as a record that can be replayed."""

from __future__ import annotations

import dataclasses
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..core.errors import (
    CorruptSampleError,
    DataError,
    DataNotFoundError,
    InputMismatchError,
    SpeedwellError,
    UsageError,
)
from ..core.record import content_hash, decode, encode
from .objects import Objects, Window

__all__ = ["Transform", "expect"]

SCHEMA = 1
MAX_FILE_BYTES = 256 << 20
"""A tokenizer of a million entries has 70 MB; beyond this a file is not read."""


@dataclass(frozen=True)
class Transform(ABC):
    """Two halves: ``encode`` once per sample (slow: decode, resize, tokenize), ``finish`` once per batch (fast).

    Subclasses are frozen dataclasses of plain values, so equal records do exactly the same. A subclass names its
    ``kind``, which is how ``open`` finds it. ``assumed``: in words, what was guessed when it was made (not stored).
    """

    kind: ClassVar[str]
    files: ClassVar[Mapping[str, str]] = {}
    """Fields (text) that are stored in a file of their own: field name to file name."""
    _kinds: ClassVar[dict[str, type[Transform]]] = {}

    assumed: tuple[str, ...] = field(default=(), compare=False, kw_only=True)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        Transform._kinds[cls.kind] = cls

    @abstractmethod
    def encode(self, raw: Any) -> dict[str, np.ndarray]:
        """One sample's compact form, by field. Raises ``CorruptSampleError`` where the sample cannot be read,
        ``InputMismatchError`` where it does not fit the network.
        """

    @abstractmethod
    def finish(self, encoded: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """Model inputs by name for a batch of at least one encoded sample; first axis = batch."""

    def window(self, size: tuple[int, int]) -> Window:
        """Where a picture of ``size`` (height, width) comes to lie in the network's input: x1, y1, x2, y2 in pixels.

        Raises ``InputMismatchError`` where the transform does not keep whole pictures (the default).
        """
        raise InputMismatchError(
            f"the {self.kind} transform of a {size[0]}x{size[1]} picture does not say where boxes go",
            "Object detection needs images that are letterboxed or stretched: --resize letterbox, or --resize stretch.",
        )

    def place(self, objects: Objects) -> Objects:
        """``objects`` of a raw picture, in pixels of the network's input; boxes are cut at the picture's edge.

        Raises as ``window`` does, ``CorruptSampleError`` where they are placed already.
        """
        height, width = objects.size
        if objects.window != (0, 0, width, height):
            raise CorruptSampleError(f"the objects lie in the window {objects.window} of a {height}x{width} picture")
        x1, y1, x2, y2 = self.window(objects.size)
        placed = objects.moved(((x2 - x1) / width, (y2 - y1) / height), (x1, y1))
        return dataclasses.replace(placed, window=(x1, y1, x2, y2)).clipped()

    def restore(self, boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """``boxes`` (float [k,4], pixels of the network's input) in pixels of the original picture of ``size`` (height,
        width), cut at its edges; float32 [k,4], in the same order. The inverse of ``place``. Raises as ``window`` does.
        """
        height, width = size
        x1, y1, x2, y2 = self.window(size)
        scale = np.array([width / (x2 - x1), height / (y2 - y1)] * 2)
        raw = (np.asarray(boxes, np.float64).reshape(-1, 4) - [x1, y1, x1, y1]) * scale
        restored: np.ndarray = np.clip(raw, 0, [width, height, width, height]).astype(np.float32)
        return restored

    @property
    def ragged(self) -> tuple[str, ...]:
        """Fields whose first axis differs from sample to sample; the first of them is what "length" means."""
        return ()

    @property
    def key(self) -> str:
        """sha256 (hex) of the record: equal keys, equal results."""
        return content_hash({"kind": self.kind, **self._record(), **{f: getattr(self, f) for f in self.files}})

    def save(self, folder: Path) -> None:
        """Write ``transform.json`` and the files of ``files`` into ``folder``; same record, same bytes."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, file in self.files.items():
            (folder / file).write_text(getattr(self, name), encoding="utf-8", newline="\n")
        text = json.dumps({"schema": SCHEMA, "kind": self.kind, **self._record()}, indent=2, allow_nan=False)
        (folder / "transform.json").write_text(text + "\n", encoding="utf-8", newline="\n")

    @staticmethod
    def open(folder: Path) -> Transform:
        """The transform that ``save`` wrote. Raises ``DataNotFoundError``, or ``DataError`` where it is not one."""
        path = folder / "transform.json"
        try:
            record = json.loads(_read(path))
        except ValueError as error:
            raise DataError(f"{path} is not JSON: {error}") from error
        if not isinstance(record, dict) or record.pop("schema", None) != SCHEMA:
            raise DataError(f"{path} is not a transform of schema {SCHEMA}", "Open it with a matching Speedwell.")
        kind = record.pop("kind", None)
        cls = Transform._kinds.get(kind) if isinstance(kind, str) else None
        if cls is None:
            raise DataError(f"{path}: no transform of kind {kind!r}; there are {', '.join(sorted(Transform._kinds))}")
        stored = {f.name: f for f in dataclasses.fields(cls) if f.name != "assumed" and f.name not in cls.files}
        if unknown := sorted(set(record) - set(stored)):
            raise DataError(f"{path}: unknown entries {unknown}")
        if missing := sorted(set(stored) - set(record)):
            raise DataError(f"{path}: missing entries {missing}")
        for name, file in cls.files.items():
            record[name] = _read(folder / file)
        try:
            made: Transform = decode(cls, record)
        except SpeedwellError as error:
            raise DataError(f"{path}: {error.what}", error.fix) from error
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise DataError(f"{path} does not hold a transform: {error}") from error
        return made

    def _record(self) -> dict[str, Any]:
        skip = {"assumed", *self.files}
        return {f.name: encode(getattr(self, f.name)) for f in dataclasses.fields(self) if f.name not in skip}


def expect(holds: bool, what: str, fix: str = "") -> None:
    """Raise ``UsageError`` unless ``holds``: for the values of a declared transform."""
    if not holds:
        raise UsageError(what, fix)


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise DataError(f"{path} is larger than {MAX_FILE_BYTES >> 20} MB")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise DataNotFoundError(f"there is no {path}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}") from error
