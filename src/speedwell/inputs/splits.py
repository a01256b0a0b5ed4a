"""Four splits that share no sample: train, calibration, selection, confirmation.

Disjoint by content hash, stratified by label, and a function of (content, labels, seed) alone: the order of files does
not matter. Inside a split the order is stratified too, so that any first part of it stands for the whole.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..core.errors import EmptySplitError, UsageError
from .samples import Samples

__all__ = ["NEEDED", "SPLITS", "Splits", "make_splits"]

SPLITS = ("train", "calibration", "selection", "confirmation")
NEEDED = ("calibration", "selection", "confirmation")
CALIBRATION_MOST, CALIBRATION_SHARE = 500, 0.05
SELECTION_MOST, SELECTION_SHARE = 2500, 0.25
CONFIRMATION_MOST = 7000
"""With data above 10,000 samples the rest is left for training; 7,000 show one point even at 6 % disagreement."""
KEEPING_ORDER = ("calibration", "selection", "train", "data", "confirmation")
"""Whose sample stays when two sets share it; confirmation always gives way, because the others have been looked at."""


@dataclass(frozen=True, eq=False)
class Splits:
    """Index arrays (int64) into ``samples``, in stratified order. ``removed``: samples left out, by the set they
    were in ("data" or a split's name). ``warnings``: duplicates, contradicting labels, small splits, in words.
    """

    samples: Samples
    train: np.ndarray
    calibration: np.ndarray
    selection: np.ndarray
    confirmation: np.ndarray
    seed: int
    removed: Mapping[str, int]
    warnings: tuple[str, ...]

    def __getitem__(self, name: str) -> np.ndarray:
        """The split by name. Raises ``KeyError`` for another name."""
        if name not in SPLITS:
            raise KeyError(name)
        found: np.ndarray = getattr(self, name)
        return found

    @property
    def counts(self) -> dict[str, int]:
        """Samples per split."""
        return {name: len(self[name]) for name in SPLITS}


def make_splits(
    given: Samples | Mapping[str, Samples],
    seed: int = 0,
    sizes: Mapping[str, int | float] | None = None,
    needed: Sequence[str] = NEEDED,
) -> Splits:
    """Split one data set, or complete sets that were given apart ("data" plus any of ``SPLITS``).

    Of ``data`` with n samples: calibration min(500, 5 %), selection min(2500, 25 %), confirmation the rest up to
    7,000, train what is left; where confirmation is given apart, train is the rest. ``sizes`` overrides (a count, or a
    share below 1 of ``data``; it applies to splits taken from ``data``).

    Equal content is used once: the second in one set, and the one in the later set of ``KEEPING_ORDER``, is removed,
    counted and reported. Where the data has labels, selection and confirmation hold only labelled samples.
    Raises ``EmptySplitError`` where a split of ``needed`` ends up empty, ``UsageError`` for names
    and sizes that cannot be, ``CorruptSampleError`` where too many samples cannot be read.
    """
    sets = {"data": given} if isinstance(given, Samples) else dict(given)
    if unknown := sorted(set(sets) - {"data", *SPLITS}):
        raise UsageError(f"no split is named {unknown}", f"The sets are data, {', '.join(SPLITS)}.")
    for part in sets.values():
        part.digests()  # reads everything once; the digests travel into the joined samples
    names = [n for n in ("data", *SPLITS) if n in sets]
    samples = sets[names[0]] if len(names) == 1 else Samples.join([sets[n] for n in names])
    starts = np.cumsum([0] + [len(sets[n]) for n in names])
    members = {n: np.arange(starts[k], starts[k + 1]) for k, n in enumerate(names)}

    kept, removed, warnings = _without_repeats(samples, members)
    judged = [n for n in ("data", "selection", "confirmation") if n in kept]
    if any((samples.targets[kept[n]] >= 0).any() for n in judged):
        for name in judged:
            labelled = samples.targets[kept[name]] >= 0
            if missing := int((~labelled).sum()):
                removed[name] += missing
                warnings.append(f"{missing} sample(s) of {name} have no label and are left out")
                kept[name] = kept[name][labelled]
    parts = {n: _stratified(samples, kept.get(n, np.zeros(0, np.int64)), seed) for n in ("data", *SPLITS)}
    parts |= _cut(parts["data"], _wanted(len(parts["data"]), set(sets) & set(SPLITS), sizes or {}))
    for split in needed:
        if not len(parts[split]):
            _refuse_empty(split, sets, kept, removed)
    return Splits(
        samples, parts["train"], parts["calibration"], parts["selection"], parts["confirmation"], seed, dict(removed),
        tuple(warnings),
    )  # fmt: skip


def _without_repeats(
    samples: Samples, members: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, int], list[str]]:
    digests = samples.digests()
    owner: dict[str, tuple[str, int]] = {}
    kept: dict[str, np.ndarray] = {}
    removed: dict[str, int] = defaultdict(int)
    across: dict[tuple[str, str], int] = defaultdict(int)
    conflicts: list[tuple[int, int]] = []
    for name in [n for n in KEEPING_ORDER if n in members]:
        stay = []
        for i in members[name].tolist():
            if not digests[i]:  # unreadable, listed in samples.bad
                continue
            first = owner.setdefault(digests[i], (name, i))
            if first[1] == i:
                stay.append(i)
                continue
            removed[name] += 1
            across[first[0], name] += 1
            if samples.targets[first[1]] >= 0 and samples.targets[i] >= 0 and _differ(samples, first[1], i):
                conflicts.append((first[1], i))
        kept[name] = np.array(stay, np.int64)
    warnings = []
    for (first_name, name), count in across.items():
        if first_name == name:
            warnings.append(f"{count} sample(s) of {name} repeat another one of it and are used once")
        else:
            warnings.append(f"{count} sample(s) of {name} are also in {first_name} and were removed from {name}")
    if conflicts:
        a, b = conflicts[0]
        warnings.append(
            f"{len(conflicts)} sample(s) have equal content and different labels, for example {samples.origins[a]} "
            f"({_label(samples, a)}) and {samples.origins[b]} ({_label(samples, b)}); the first label is used"
        )
    return kept, removed, warnings


def _differ(samples: Samples, a: int, b: int) -> bool:
    mine, theirs = samples.objects(a), samples.objects(b)
    if mine is not None and theirs is not None:
        return not mine.same(theirs)
    return bool(samples.targets[a] != samples.targets[b])


def _label(samples: Samples, i: int) -> str:
    if (objects := samples.objects(i)) is not None:
        return f"{len(objects)} object(s)"
    target = int(samples.targets[i])
    return samples.classes[target] if target < len(samples.classes) else str(target)


def _stratified(samples: Samples, index: np.ndarray, seed: int) -> np.ndarray:
    """``index`` in an order of which any stretch has each label's share, give or take one (systematic sampling)."""
    digests = samples.digests()
    strata: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for i in index.tolist():
        strata[int(samples.targets[i])].append((_hash(seed, digests[i]), i))
    placed = []
    for label, members in strata.items():
        members.sort()
        start = int(_hash(seed, f"label {label}")[:8], 16) / 2**32
        placed += [((rank + start) / len(members), tie, i) for rank, (tie, i) in enumerate(members)]
    return np.array([i for _, _, i in sorted(placed)], np.int64)


def _hash(seed: int, text: str) -> str:
    return hashlib.sha256(f"{seed}/{text}".encode()).hexdigest()


def _wanted(n: int, given: set[str], sizes: Mapping[str, int | float]) -> dict[str, int]:
    """How many of ``n`` go to each split that was not given apart."""
    defaults = {
        "calibration": min(CALIBRATION_MOST, max(1, round(CALIBRATION_SHARE * n))),
        "selection": min(SELECTION_MOST, max(1, round(SELECTION_SHARE * n))),
        "confirmation": CONFIRMATION_MOST,
    }
    for name in sizes:
        if name not in SPLITS:
            raise UsageError(f"no split is named {name!r}", f"The splits are {', '.join(SPLITS)}.")
        if name in given:
            raise UsageError(f"{name} was given apart, and its size as well", "Give one of the two.")
    taken = [name for name in ("calibration", "selection", "confirmation", "train") if name not in given]
    counts = {name: _count(name, sizes[name], n) for name in taken if name in sizes}
    left = n - sum(counts.values())
    for name in [t for t in taken if t not in sizes]:
        counts[name] = max(0, min(defaults.get(name, left), left))
        left -= counts[name]
    if left < 0 and sizes:
        raise UsageError(f"the splits ask for {n - left} samples, the data has {n}", "Give smaller sizes.")
    return counts


def _count(name: str, size: int | float, n: int) -> int:
    if isinstance(size, bool) or not math.isfinite(size) or size < 0 or (size != int(size) and size > 1):
        raise UsageError(f"the size of {name} is {size!r}", "Give a count, or a share below 1.")
    return round(size * n) if 0 < size < 1 else int(size)


def _cut(order: np.ndarray, counts: Mapping[str, int]) -> dict[str, np.ndarray]:
    parts, at = {}, 0
    for name in ("calibration", "selection", "confirmation", "train"):
        if name in counts:
            parts[name] = order[at : at + counts[name]]
            at += counts[name]
    return parts


def _refuse_empty(
    name: str, sets: Mapping[str, Samples], kept: Mapping[str, np.ndarray], removed: Mapping[str, int]
) -> None:
    source: Sequence[str] = (name,) if name in sets else ("data",)
    had = sum(len(sets[s]) for s in source if s in sets)
    left = sum(len(kept[s]) for s in source if s in kept)
    gone = sum(removed.get(s, 0) for s in source)
    where = f"{source[0]} has {had} sample(s)" if source[0] in sets else "no data was given"
    raise EmptySplitError(
        f"nothing is left for the {name} split: {where}, {gone} repeated or without a label, {left} usable",
        f"Give more samples, or a set of its own with --{name}; one point needs about 2,000 to confirm.",
    )
