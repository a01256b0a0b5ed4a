"""``EncodedSplit``: one split's encoded samples on disk, which workers share without copies."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..core.atomic import whole_folder
from ..core.errors import CorruptSampleError, DataError, DataNotFoundError, EmptySplitError, InputMismatchError
from .object_table import ObjectTable
from .objects import Objects
from .rows import Rows
from .samples import BadSample, Sample, Samples, check_bad
from .transform import Transform

__all__ = ["EncodedSplit"]

SCHEMA = 1
THREADS = 2
WINDOW = 64
"""Samples under way at once: bounds the memory while threads decode ahead."""


class EncodedSplit:
    """Samples after ``transform.encode``, in the split's order. Read-only.

    ``targets`` int64 [n] (-1 unlabelled), ``digests`` and ``origins`` per sample, ``lengths`` int64 [n] (tokens per
    sample) or None where all samples have one size, ``bad``: samples met while writing that could not be used.
    Object detection: ``objects`` of each sample, in pixels of the network's input.
    """

    def __init__(
        self,
        folder: Path,
        transform: Transform,
        fields: Mapping[str, Rows],
        offsets: Mapping[str, np.ndarray],
        targets: np.ndarray,
        digests: Sequence[str],
        origins: Sequence[str],
        classes: Sequence[str],
        bad: Sequence[BadSample],
        objects: Sequence[Objects] | None = None,
    ) -> None:
        self.folder = folder
        self.transform = transform
        self.targets = targets
        self.digests = tuple(digests)
        self.origins = tuple(origins)
        self.classes = tuple(classes)
        self.bad = tuple(bad)
        self._fields = fields
        self._offsets = offsets
        self._objects = objects

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def lengths(self) -> np.ndarray | None:
        """Tokens (or steps) per sample, int64 [n]; None where the transform gives one size."""
        name = next((f for f in self.transform.ragged if f in self._offsets), None)
        return None if name is None else np.diff(self._offsets[name])[: len(self)]

    @property
    def has_objects(self) -> bool:
        """True for object detection."""
        return self._objects is not None

    def objects(self, i: int) -> Objects | None:
        """What sample ``i`` shows, as ``transform.place`` gave it; None where the data has no boxes."""
        if not 0 <= i < len(self):
            raise IndexError(f"sample {i} of {len(self)}")
        return None if self._objects is None else self._objects[int(i)]

    def truth(self, index: Sequence[int] | np.ndarray | None = None) -> np.ndarray | tuple[Objects, ...]:
        """What the samples in ``index`` (default: all) are: their objects for detection, else int64 class numbers."""
        if self._objects is not None:
            return tuple(self._objects[int(i)] for i in (range(len(self)) if index is None else index))
        targets: np.ndarray = self.targets if index is None else self.targets[np.asarray(index, np.int64)]
        return targets

    def field(self, name: str) -> Rows | None:
        """All samples' values of a field, a row each; None where there is no such field, or where its length differs
        from sample to sample.
        """
        return None if name in self._offsets else self._fields.get(name)

    def encoded(self, i: int) -> dict[str, np.ndarray]:
        """Sample ``i`` as ``transform.encode`` gave it."""
        if not 0 <= i < len(self):
            raise IndexError(f"sample {i} of {len(self)}")
        sample = {}
        for name, rows in self._fields.items():
            at = self._offsets.get(name)
            sample[name] = rows[i] if at is None else rows[int(at[i]) : int(at[i + 1])]
        return sample

    def batch(self, index: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        """Finished model inputs of the samples in ``index`` (at least one), first axis = batch."""
        return self.transform.finish([self.encoded(int(i)) for i in index])

    def first(self, n: int) -> EncodedSplit:
        """A view of the first ``n`` samples (all, where there are fewer)."""
        n = min(max(n, 0), len(self))
        return EncodedSplit(
            self.folder, self.transform, self._fields, self._offsets, self.targets[:n], self.digests[:n],
            self.origins[:n], self.classes, self.bad, self._objects,
        )  # fmt: skip

    @classmethod
    def write(
        cls, folder: Path, samples: Samples, index: Sequence[int] | np.ndarray, transform: Transform
    ) -> EncodedSplit:
        """Encode ``samples[index]`` into ``folder``, which appears whole or not at all (an older one is replaced).

        A sample that cannot be read is dropped and listed in ``bad``. Raises ``CorruptSampleError`` where more than
        5 % of all ``samples`` or half of the split are, ``InputMismatchError`` where samples do not fit the model,
        ``EmptySplitError`` for an empty index.
        """
        if not len(index):
            raise EmptySplitError(f"there is no sample to write into {folder.name}", "Give more data.")
        with whole_folder(folder) as part:
            _write(part, samples, [int(i) for i in index], transform)
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> EncodedSplit:
        """What ``write`` left. Raises ``DataNotFoundError``, or ``DataError`` where files do not fit together."""
        path = folder / "split.json"
        if not path.is_file():
            raise DataNotFoundError(f"there is no encoded split in {folder}")
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            if facts["schema"] != SCHEMA:
                raise DataError(f"{path} has schema {facts['schema']!r}, this version reads {SCHEMA}")
            n = int(facts["n"])
            fields = {name: Rows(folder / f"{file}.npy") for name, file in facts["fields"].items()}
            offsets = {name: _load(folder / f"{facts['fields'][name]}.offsets.npy") for name in facts["ragged"]}
            targets = _load(folder / "targets.npy")
            digests, origins, classes = facts["digests"], facts["origins"], facts["classes"]
            bad = [BadSample(**b) for b in facts["bad"]]
            objects = ObjectTable.open(folder) if facts.get("objects") else None  # older folders do not say
        except (ValueError, KeyError, TypeError, AttributeError, OSError, EOFError) as error:
            raise DataError(f"the encoded split {folder} is damaged: {error}", "Delete it and run again.") from error
        whole = len(targets) == len(digests) == len(origins) == n and all(
            len(offsets[name]) == n + 1 and int(offsets[name][-1]) == len(rows) if name in offsets else len(rows) == n
            for name, rows in fields.items()
        )
        if not whole or (objects is not None and len(objects) != n):
            raise DataError(f"the encoded split {folder} is damaged: counts disagree", "Delete it and run again.")
        transform = Transform.open(folder)
        return cls(folder, transform, fields, offsets, targets, digests, origins, classes, bad, objects)


class _Column:
    """One field, appended to a ``.npy`` file whose header is set right at the end."""

    def __init__(self, path: Path, first: np.ndarray, ragged: bool) -> None:
        self.path, self.ragged = path, ragged
        self.dtype, self.shape = first.dtype, first.shape[1:] if ragged else first.shape
        self.rows = 0
        self.offsets = [0]
        self.file: BinaryIO = path.open("wb")
        self._header()
        self.start = self.file.tell()

    def append(self, array: np.ndarray, origin: str) -> None:
        shape = array.shape[1:] if self.ragged else array.shape
        if array.dtype != self.dtype or shape != self.shape:
            raise InputMismatchError(
                f"{origin} gives {array.dtype} {list(array.shape)}, the samples before it {self.dtype} "
                f"{['length', *self.shape] if self.ragged else list(self.shape)}",
                "Give all samples in one size and type.",
            )
        self.file.write(np.ascontiguousarray(array).tobytes())
        self.rows += len(array) if self.ragged else 1
        self.offsets.append(self.rows)

    def close(self) -> None:
        self.file.seek(0)
        self._header()
        assert self.file.tell() == self.start, "numpy leaves room in the header for a growing first axis"
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        if self.ragged:
            np.save(self.path.with_suffix(".offsets.npy"), np.array(self.offsets, np.int64))

    def _header(self) -> None:
        facts = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": (self.rows, *self.shape),
        }
        np.lib.format.write_array_header_1_0(self.file, facts)


def _write(folder: Path, samples: Samples, index: Sequence[int], transform: Transform) -> None:
    columns: dict[str, _Column] = {}
    targets: list[int] = []
    digests: list[str] = []
    origins: list[str] = []
    bad: list[BadSample] = []
    placed: list[Objects | None] = []
    try:
        for i, sample, encoded in _encoded(samples, index, transform):
            if isinstance(encoded, CorruptSampleError):
                what = encoded.what.removeprefix(f"{samples.origins[i]}: ")
                bad.append(BadSample(samples.origins[i], what))
                # with too many bad ones so far, the rest cannot save it: stop at once
                samples.leave_out(bad[-1])
                if 2 * len(bad) > len(index):
                    check_bad(bad, len(index))
                continue
            if not columns:
                columns = {
                    name: _Column(folder / f"field{k}.npy", array, name in transform.ragged)
                    for k, (name, array) in enumerate(encoded.items())
                }
            if encoded.keys() != columns.keys():
                raise InputMismatchError(
                    f"{samples.origins[i]} gives {sorted(encoded)}, the samples before it {sorted(columns)}",
                    "Give all samples in one form: all raw, or all prepared.",
                )
            for name, array in encoded.items():
                columns[name].append(array, samples.origins[i])
            placed.append(None if sample.objects is None else transform.place(sample.objects))
            targets.append(int(samples.targets[i]))
            digests.append(sample.digest)
            origins.append(sample.origin)
    finally:
        for column in columns.values():
            column.close()
    np.save(folder / "targets.npy", np.array(targets, np.int64))
    transform.save(folder)
    boxed = [o for o in placed if o is not None]
    judged = bool(boxed) and len(boxed) == len(placed)  # else it is unlabelled, or partly
    if judged:
        ObjectTable.of(boxed).save(folder)
    facts = {
        "schema": SCHEMA,
        "n": len(targets),
        "fields": {name: column.path.stem for name, column in columns.items()},
        "ragged": [name for name, column in columns.items() if column.ragged],
        "classes": list(samples.classes),
        "digests": digests,
        "origins": origins,
        "bad": [{"origin": b.origin, "reason": b.reason} for b in bad],
        "objects": judged,
    }
    with (folder / "split.json").open("w", encoding="utf-8") as f:
        json.dump(facts, f)
        f.flush()
        os.fsync(f.fileno())


def _encoded(
    samples: Samples, index: Sequence[int], transform: Transform
) -> Iterator[tuple[int, Any, dict[str, np.ndarray] | CorruptSampleError]]:
    """Each sample with its encoded form, in order. Reading stays in this thread (a user's data set need not be
    thread-safe); decoding and resizing, which free the interpreter, run ahead in ``THREADS`` threads.
    """
    under_way: deque[tuple[int, Sample, Future[dict[str, np.ndarray]] | CorruptSampleError]] = deque()

    def done() -> tuple[int, Any, dict[str, np.ndarray] | CorruptSampleError]:
        i, sample, future = under_way.popleft()
        if isinstance(future, CorruptSampleError):
            return i, None, future
        try:
            return i, sample, future.result()
        except CorruptSampleError as error:
            return i, sample, error

    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="speedwell-encode")
    try:
        for i in index:
            try:
                sample = samples[i]
            except CorruptSampleError as error:
                under_way.append((i, None, error))  # type: ignore[arg-type]
            else:
                under_way.append((i, sample, pool.submit(transform.encode, sample.raw)))
            if len(under_way) >= WINDOW:
                yield done()
        while under_way:
            yield done()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _load(path: Path) -> np.ndarray:
    array: np.ndarray = np.load(path, allow_pickle=False)
    return array
