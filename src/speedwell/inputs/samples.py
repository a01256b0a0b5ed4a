"""Samples as a data set gives them, before any transform: read lazily, bad ones listed instead of fatal."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.digest import array_digest, bytes_digest
from ..core.errors import CorruptSampleError, DataError, LabelMismatchError

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
    """

    raw: Any
    target: int | None
    digest: str
    origin: str


@dataclass(frozen=True)
class BadSample:
    """A sample that cannot be used, and why."""

    origin: str
    reason: str


class Samples:
    """A lazy sequence of ``Sample``: ``load(i)`` reads one, ``targets`` is int64 [n] with -1 for unlabelled.

    ``classes``: names by class number, empty when unlabelled. ``bad`` grows as unreadable samples are met.
    ``warnings``: what a person should know about how the data was read.
    """

    def __init__(
        self,
        load: Callable[[int], Any],
        targets: np.ndarray,
        origins: Sequence[str],
        classes: Sequence[str] = (),
        bad: Sequence[BadSample] = (),
        warnings: Sequence[str] = (),
    ) -> None:
        if len(targets) != len(origins):
            raise ValueError(f"{len(targets)} targets, {len(origins)} origins")
        self.targets = np.asarray(targets, np.int64)
        self.origins = origins
        self.classes = tuple(classes)
        self.bad = list(bad)
        self._left_out_by_the_reader = len(self.bad)
        self.warnings = list(warnings)
        self._load = load
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
        return Sample(raw, None if target < 0 else target, digest, self.origins[i])

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
        )
        part._digests = [self._digests[i] for i in chosen]
        return part

    @staticmethod
    def join(parts: Sequence[Samples]) -> Samples:
        """Several data sets end to end; labels are matched by class name onto the first labelled part's order.

        Names that only a later part has come after. Parts with class numbers alone must agree on the numbers.
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
        where = {name: i for i, name in enumerate(classes)}
        targets = []
        for part in parts:
            if all(c in where for c in part.classes) and part.classes:
                order = np.array([where[c] for c in part.classes], np.int64)
                targets.append(np.where(part.targets >= 0, order[part.targets], -1))
                continue
            if classes and len(part) and int(part.targets.max()) >= len(classes):
                raise LabelMismatchError(
                    f"label {int(part.targets.max())} is beyond the {len(classes)} class names of the other data",
                    "Give class names in the order of the model's outputs with --classes.",
                )
            targets.append(part.targets)
        starts = np.cumsum([0] + [len(p) for p in parts])

        def load(i: int) -> Any:
            k = int(np.searchsorted(starts, i, side="right")) - 1
            return parts[k]._load(i - int(starts[k]))

        whole = Samples(
            load,
            np.concatenate(targets) if targets else np.zeros(0, np.int64),
            [o for p in parts for o in p.origins],
            classes,
            [b for p in parts for b in p.bad],
            warnings,
        )
        whole._digests = [d for p in parts for d in p._digests]
        return whole


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
