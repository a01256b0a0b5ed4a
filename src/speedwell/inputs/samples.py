"""Samples as a data set gives them, before any transform: read lazily, bad ones listed instead of fatal."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.digest import array_digest, bytes_digest
from ..core.errors import CorruptSampleError, DataError, LabelMismatchError
from .objects import Objects

__all__ = ["MAX_BAD_SHARE", "BadSample", "Sample", "Samples", "check_bad", "raw_digest"]

MAX_BAD_SHARE = 0.05
"""More bad samples than this share is no longer an accident: the data is refused."""
MAX_FEW = 3
"""So many are always left out quietly: of 16 samples, 5 % would be none."""


@dataclass(frozen=True, eq=False)
class Sample:
    """``raw``: encoded image bytes, a PIL image, a numpy array, a string, a pair of strings or a mapping of arrays.

    ``target``: class number, None where unlabelled. ``digest``: sha256 (hex) of the raw content, label not included.
    ``origin``: where it came from, for a person ("train.csv:17", "photos/cat/3.jpg").
    ``objects``: what a picture shows and where, in its own pixels; None in data without boxes.
    """

    raw: Any
    target: int | None
    digest: str
    origin: str
    objects: Objects | None = None


@dataclass(frozen=True)
class BadSample:
    """A sample that cannot be used, and why."""

    origin: str
    reason: str


class Samples:
    """A lazy sequence of ``Sample``: ``load(i)`` reads one, ``targets`` is int64 [n] with -1 for unlabelled.

    ``classes``: names by class number, empty when unlabelled. ``bad`` grows as unreadable samples are met.
    ``warnings``: what a person should know about how the data was read.
    ``objects``: for object detection, each sample's ``Objects``, or a function of the sample's number. ``targets``
    then say what splits are stratified by: the class of the picture's rarest object, ``len(classes)`` for none.
    """

    def __init__(
        self,
        load: Callable[[int], Any],
        targets: np.ndarray,
        origins: Sequence[str],
        classes: Sequence[str] = (),
        bad: Sequence[BadSample] = (),
        warnings: Sequence[str] = (),
        objects: Sequence[Objects] | Callable[[int], Objects | None] | None = None,
    ) -> None:
        if len(targets) != len(origins):
            raise ValueError(f"{len(targets)} targets, {len(origins)} origins")
        if objects is not None and not callable(objects) and len(objects) != len(targets):
            raise ValueError(f"{len(targets)} targets, objects of {len(objects)} pictures")
        self.targets = np.asarray(targets, np.int64)
        self.origins = origins
        self.classes = tuple(classes)
        self.bad = list(bad)
        self._left_out_by_the_reader = len(self.bad)
        self.warnings = list(warnings)
        self._load = load
        self._objects = objects if objects is None or callable(objects) else objects.__getitem__
        self._digests: list[str | None] = [None] * len(origins)

    def __len__(self) -> int:
        return len(self.targets)

    def __iter__(self) -> Iterator[Sample]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, i: int) -> Sample:
        """Read sample ``i``. Raises ``CorruptSampleError`` where it cannot be read, ``IndexError`` outside."""
        if not -len(self) <= i < len(self):
            raise IndexError(f"sample {i} of {len(self)}")
        i = int(i) % len(self)
        try:
            raw = self._load(i)
        except OSError as error:
            raise CorruptSampleError(f"{self.origins[i]}: {error.strerror or error}") from error
        except CorruptSampleError as error:
            raise CorruptSampleError(f"{self.origins[i]}: {error.what}", error.fix) from error
        digest = self._digests[i]
        if digest is None:
            digest = self._digests[i] = raw_digest(raw)
        target = int(self.targets[i])
        return Sample(raw, None if target < 0 else target, digest, self.origins[i], self.objects(i))

    @property
    def has_objects(self) -> bool:
        """True for object detection: labelled samples have ``Objects``, be it an empty record."""
        return self._objects is not None

    def objects(self, i: int) -> Objects | None:
        """The objects of sample ``i``, without reading the picture; None where it has no boxes (unlabelled)."""
        if not -len(self) <= i < len(self):
            raise IndexError(f"sample {i} of {len(self)}")
        return None if self._objects is None else self._objects(int(i) % len(self))

    @property
    def labelled(self) -> bool:
        """True where at least one sample has a label."""
        return bool((self.targets >= 0).any())

    @property
    def total(self) -> int:
        """Samples of the data set, with those that its reader left out."""
        return len(self) + self._left_out_by_the_reader

    def leave_out(self, sample: BadSample) -> None:
        """List a sample that turned out to be unusable. Raises ``CorruptSampleError`` where that makes too many of the
        whole data set: in a small part of it, 5 % is soon reached by chance.
        """
        if sample not in self.bad:
            self.bad.append(sample)
        check_bad(self.bad, self.total)

    def digests(self) -> tuple[str, ...]:
        """Each sample's digest; "" where it cannot be read (listed in ``bad``). Reads the whole data once.

        Raises ``CorruptSampleError`` where too many cannot be read.
        """
        for i, known in enumerate(self._digests):
            if known is None:
                try:
                    self[i]
                except CorruptSampleError as error:
                    self._digests[i] = ""
                    self.bad.append(BadSample(self.origins[i], error.what))
        check_bad(self.bad, self.total)
        return tuple(d or "" for d in self._digests)

    def take(self, index: Sequence[int] | np.ndarray) -> Samples:
        """The samples in ``index``, in that order; still lazy."""
        chosen = [int(i) for i in index]
        part = Samples(
            lambda i: self._load(chosen[i]),
            self.targets[chosen],
            [self.origins[i] for i in chosen],
            self.classes,
            (),
            self.warnings,
            None if (objects := self._objects) is None else (lambda i: objects(chosen[i])),
        )
        part._digests = [self._digests[i] for i in chosen]
        return part

    @staticmethod
    def join(parts: Sequence[Samples]) -> Samples:
        """Several data sets end to end; labels are matched by class name onto the first labelled part's order.

        Names that only a later part has come after. Parts with class numbers alone must agree on the numbers.
        Objects of detection data are renumbered likewise. Raises ``LabelMismatchError`` where numbers do not fit,
        ``DataError`` where some parts have boxes and others class labels.
        """
        named = [p.classes for p in parts if p.classes and not _numbered(p.classes)]
        named = named or [p.classes for p in parts if p.classes]
        classes: list[str] = []
        for names in named:
            classes += [c for c in names if c not in classes]
        warnings = list(dict.fromkeys(w for p in parts for w in p.warnings))
        if named and list(named[0]) != classes:
            extra = classes[len(named[0]) :]
            warnings.append(f"class names that only some of the data has come last: {', '.join(extra[:5])}")
        boxed = any(p.has_objects for p in parts)
        numbers = [_numbers(part, classes, boxed) for part in parts]
        targets = [
            part.targets if order is None else np.where(part.targets >= 0, order[part.targets], -1)
            for part, order in zip(parts, numbers, strict=True)
        ]
        starts = np.cumsum([0] + [len(p) for p in parts])

        def place(i: int) -> tuple[int, int]:
            k = int(np.searchsorted(starts, i, side="right")) - 1
            return k, i - int(starts[k])

        def load(i: int) -> Any:
            k, at = place(i)
            return parts[k]._load(at)

        def objects(i: int) -> Objects | None:
            k, at = place(i)
            found, order = parts[k].objects(at), numbers[k]
            return found if found is None or order is None else found.numbered(order)

        whole = Samples(
            load,
            np.concatenate(targets) if targets else np.zeros(0, np.int64),
            [o for p in parts for o in p.origins],
            classes,
            [b for p in parts for b in p.bad],
            warnings,
            objects if boxed else None,
        )
        whole._digests = [d for p in parts for d in p._digests]
        return whole


def _numbers(part: Samples, classes: Sequence[str], boxed: bool) -> np.ndarray | None:
    """What each class number of ``part`` becomes among ``classes``; None where numbers stay.

    ``boxed``: the whole data has boxes; then one more number stands for a picture without an object.
    """
    if boxed and part.labelled and not part.has_objects:
        raise DataError(
            "some of the data has boxes and some has class labels",
            "Give boxes in all of it; calibration and train may also be unlabelled.",
        )
    where = {name: i for i, name in enumerate(classes)}
    if all(c in where for c in part.classes) and part.classes:
        order = [where[c] for c in part.classes]
        return np.array([*order, len(classes)] if boxed else order, np.int64)
    if not classes or not len(part):
        return None
    top = len(part.classes) - 1 if part.has_objects else int(part.targets.max())
    if top >= len(classes):
        raise LabelMismatchError(
            f"label {top} is beyond the {len(classes)} class names of the other data",
            "Give class names in the order of the model's outputs with --classes.",
        )
    if part.has_objects:
        return np.array([*range(top + 1), len(classes)], np.int64)
    return None


def _numbered(classes: Sequence[str]) -> bool:
    """True for "0", "1", ...: names made from numbers, which say nothing more."""
    return all(c == str(i) for i, c in enumerate(classes))


def check_bad(bad: Sequence[BadSample], total: int) -> None:
    """Raise ``CorruptSampleError`` where over 5 % of ``total`` samples and more than 3, or over half, are bad."""
    if 2 * len(bad) > total or (len(bad) > MAX_FEW and len(bad) > MAX_BAD_SHARE * total):
        first = "; ".join(f"{b.origin}: {b.reason}" for b in bad[:3])
        raise CorruptSampleError(
            f"{len(bad)} of {total} samples cannot be used, for example {first}",
            "Repair or remove them; up to 5 % bad samples are left out and reported.",
        )


def raw_digest(raw: Any) -> str:
    """sha256 (hex) of a raw sample's content. Raises ``DataError`` for a type that no transform takes."""
    if isinstance(raw, str):
        return bytes_digest(raw.encode("utf-8", "surrogatepass"))
    if isinstance(raw, (bytes, bytearray, memoryview)):
        return bytes_digest(bytes(raw))
    if isinstance(raw, np.ndarray):
        return array_digest(raw)
    if isinstance(raw, Mapping):
        h = hashlib.sha256()
        for name in sorted(raw):
            h.update(str(name).encode() + b"\0" + bytes.fromhex(raw_digest(raw[name])))
        return h.hexdigest()
    if isinstance(raw, (tuple, list)):
        return bytes_digest(b"".join(bytes.fromhex(raw_digest(part)) for part in raw))
    if isinstance(raw, (int, float, np.generic)):
        return array_digest(np.asarray(raw))
    if hasattr(raw, "tobytes") and isinstance(
        getattr(raw, "mode", None), str
    ):  # a PIL image, without importing Pillow for other data
        try:
            pixels = raw.tobytes()
        except (OSError, SyntaxError, ValueError) as error:  # Pillow decodes a file only here
            raise CorruptSampleError(f"cannot be decoded: {error}") from error
        return bytes_digest(f"{raw.mode}{raw.size}".encode() + pixels)
    raise DataError(
        f"a sample is a {type(raw).__name__}",
        "Give encoded image bytes, PIL images, numpy arrays, strings, or mappings of arrays.",
    )
