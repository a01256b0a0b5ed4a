"""The data of a training: read, split without overlap, decoded once into files beside the run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..core.atomic import write_atomic
from ..core.errors import DataNotFoundError, EmptySplitError, LabelMismatchError, ResumeError
from ..core.model import Model
from ..core.protocols import Task
from ..core.record import content_hash
from ..inputs import EncodedSplit, Samples, Transform, make_splits
from .train_settings import TrainSettings

__all__ = ["TrainData", "part_of", "read_sets", "split_sets", "write_data"]

VALIDATION_SHARE, VALIDATION_MOST = 0.1, 2500


@dataclass(frozen=True, eq=False)
class TrainData:
    """``test`` is None where none was given. ``told``: what was removed, repaired or guessed, in words."""

    train: EncodedSplit
    validation: EncodedSplit
    test: EncodedSplit | None
    classes: tuple[str, ...]
    told: tuple[str, ...]


def read_sets(settings: TrainSettings, task: Task, options: Mapping[str, Any]) -> dict[str, Samples]:
    """The sets that were named: "data" or "train", "selection", "confirmation". Raises a ``DataError``."""
    named = {"data": settings.data, "selection": settings.validation, "confirmation": settings.test}
    sets: dict[str, Samples] = {}
    for name, path in named.items():
        if path is None:
            continue
        place, split = part_of(path)
        if ":" not in place and not Path(place).exists():
            flag = {"data": "data", "selection": "validation", "confirmation": "test"}[name]
            raise DataNotFoundError(f"there is nothing at {path}", f"Check the path after --{flag}.")
        sets[name] = task.read(place, {**options, "split": split} if split else options)
    classes = sets["data"].classes
    for name in ("selection", "confirmation"):
        extra = [c for c in (sets[name].classes if name in sets else ()) if c not in classes]
        if extra and classes:
            raise LabelMismatchError(
                f"{', '.join(extra[:5])}: the training data has no such class",
                "Give training data that holds every class that is judged.",
            )
    if not sets["data"].labelled:
        raise EmptySplitError(f"no sample of {settings.data} has a label", "Training needs labels.")
    return sets


def part_of(path: str) -> tuple[str, str]:
    """("folder", "train") of "folder:train", where the folder is there and a file of the whole name is not; else the
    path itself and "". So one recipe names several lists of one data set.
    """
    place, colon, split = path.rpartition(":")
    if colon and split and not Path(path).exists() and Path(place).exists():
        return place, split
    return path, ""


def split_sets(sets: Mapping[str, Samples], seed: int) -> tuple[Samples, dict[str, np.ndarray], tuple[str, ...]]:
    """(all samples, index by "train", "validation" and "test", words). No content is in two of them: a
    training sample that is also in validation is left out of training, a test sample that is in either out of the test.
    """
    sizes: dict[str, int | float] = {"calibration": 0}
    if "selection" not in sets:
        sizes["selection"] = min(VALIDATION_MOST, max(1, round(VALIDATION_SHARE * len(sets["data"]))))
    if "confirmation" not in sets:
        sizes["confirmation"] = 0
    splits = make_splits(sets, seed, sizes, needed=("train", "selection"))
    trained = splits.train[splits.samples.targets[splits.train] >= 0]
    if not len(trained):
        raise EmptySplitError("no labelled sample is left to train on", "Label the data.")
    told = [*splits.samples.warnings, *splits.warnings]
    if len(trained) < len(splits.train):
        told.append(f"{len(splits.train) - len(trained)} sample(s) without a label are left out of training")
    index = {"train": trained, "validation": splits.selection, "test": splits.confirmation}
    return splits.samples, index, tuple(told)


def write_data(
    folder: Path, samples: Samples, index: Mapping[str, np.ndarray], transform: Transform, told: Sequence[str]
) -> TrainData:
    """Encode each split into ``folder/<name>``; what an earlier sitting wrote of the very same is used again.

    Raises ``ResumeError`` where the data is no longer what it was, ``OutputError`` where the disk is full.
    """
    digests = samples.digests()
    key = content_hash({
        "transform": transform.key,
        **{name: content_hash([digests[i] for i in part.tolist()]) for name, part in index.items()},
    })  # fmt: skip
    note = folder / "key.json"
    names = [name for name, part in index.items() if len(part)]
    if note.is_file():
        if json.loads(note.read_text())["key"] != key:
            raise ResumeError(
                f"the data is not what {folder.parent} was begun with", "Give the same data, or start a new run."
            )
        written = {name: EncodedSplit.open(folder / name) for name in names}
    else:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        written = {name: EncodedSplit.write(folder / name, samples, index[name], transform) for name in names}
        write_atomic(note, json.dumps({"key": key}).encode())
    bad = [f"{b.origin}: {b.reason}" for b in samples.bad] + [
        f"{b.origin}: {b.reason}" for split in written.values() for b in split.bad
    ]
    told = [*told, *(f"left out: {reason}" for reason in dict.fromkeys(bad)), *transform.assumed]
    return TrainData(
        written["train"], written["validation"], written.get("test"), samples.classes, tuple(dict.fromkeys(told))
    )


def pixel_statistics(samples: Samples, index: np.ndarray, model: Model, task: Task, options: Mapping[str, Any]) -> Any:
    """{"mean": [...], "std": [...]} per channel, in 0..1, over at most 512 training images as the network sees them."""
    transform = task.transform(model, options)
    encoded = [transform.encode(samples[int(i)].raw) for i in index[:512]]
    pixels = [e["pixels"] for e in encoded if "pixels" in e]
    if not pixels:
        return {}
    whole = np.stack(pixels).astype(np.float64) / 255
    axes = tuple(range(whole.ndim - 1))
    return {
        "mean": [round(float(m), 4) for m in whole.mean(axis=axes)],
        "std": [max(0.01, round(float(s), 4)) for s in whole.std(axis=axes)],
    }
