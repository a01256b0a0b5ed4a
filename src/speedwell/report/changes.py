"""Where original and winner answer differently: counts, classes, and which answer became which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core import Evidence
from .folder import Run
from .words import plain

__all__ = ["Changes", "ClassChange", "Counts", "Swap", "confirmed_counts", "selection_changes"]


@dataclass(frozen=True)
class Counts:
    """Both right, only the winner, only the original, neither; of ``n`` samples."""

    both: int
    winner: int
    original: int
    neither: int

    @property
    def n(self) -> int:
        return self.both + self.winner + self.original + self.neither


@dataclass(frozen=True)
class ClassChange:
    """Of one true class: answers ``lost`` (original right, winner wrong) and ``won`` (the reverse)."""

    name: str
    lost: int
    won: int


@dataclass(frozen=True)
class Swap:
    """The original's answer ``was``, the winner's ``now``, ``count`` times; of these ``lost`` and ``won``."""

    was: str
    now: str
    count: int
    lost: int
    won: int


@dataclass(frozen=True)
class Changes:
    """On ``n`` samples of the selection split ``differ`` answers differ. ``counts`` is None without labels."""

    n: int
    differ: int
    counts: Counts | None
    classes: tuple[ClassChange, ...]
    swaps: tuple[Swap, ...]


def confirmed_counts(run: Run) -> Counts | None:
    """From the winner's confirmation; None where nothing was confirmed or there are no labels."""
    if run.result is None or run.best is None or run.result.promise.kind != "accuracy":
        return None
    claim = next((c.accuracy for c in run.result.confirmations if c.candidate.key == run.best.key), None)
    if claim is None or claim.n == 0 or claim.test.startswith("paired bootstrap over images"):
        return None
    both = round(claim.original * claim.n) - claim.n21
    return Counts(both, claim.n12, claim.n21, claim.n - both - claim.n12 - claim.n21)


def _names(run: Run) -> Sequence[str]:
    for path in (("classes",), ("data", "classes"), ("model", "classes")):
        found = run.about(*path)
        if isinstance(found, list) and all(isinstance(c, str) for c in found):
            return [plain(c) for c in found]
    return ()


def _name(names: Sequence[str], index: int) -> str:
    return names[index] if 0 <= index < len(names) else f"class {index}"


def _evidence(run: Run) -> tuple[Evidence, Evidence] | None:
    best, original = run.best, run.original
    if best is None or original is None or original.evidence is None:
        return None
    mine = next((t.evidence for t in run.trials if t.candidate.key == best.key), None)
    return (original.evidence, mine) if mine is not None else None


def selection_changes(run: Run, most: int = 12) -> Changes | None:
    """From the answers on the selection split; None where the winner or the answers are not there.

    The true class of a sample is known where one of the two is right: it is that one's answer.
    """
    pair = _evidence(run)
    if pair is None or not len(pair[0].answers) or not len(pair[1].answers):
        return None
    base, mine = pair
    n = min(len(base.answers), len(mine.answers))
    was, now = base.answers[:n], mine.answers[:n]
    labelled = base.kind == "binary" and len(base.scores) >= n and len(mine.scores) >= n
    right = base.scores[:n] > 0.5 if labelled else np.zeros(n, bool)
    still = mine.scores[:n] > 0.5 if labelled else np.zeros(n, bool)
    names = _names(run)
    lost, won = right & ~still, ~right & still
    return Changes(
        n=n,
        differ=int(np.sum(was != now)),
        counts=_counts(right, still) if labelled else None,
        classes=_classes(was[lost], now[won], names, most),
        swaps=_swaps(was, now, lost, won, names, most),
    )


def _counts(right: np.ndarray, still: np.ndarray) -> Counts:
    return Counts(
        int(np.sum(right & still)), int(np.sum(~right & still)), int(np.sum(right & ~still)),
        int(np.sum(~right & ~still)),
    )  # fmt: skip


def _classes(lost: np.ndarray, won: np.ndarray, names: Sequence[str], most: int) -> tuple[ClassChange, ...]:
    down, up = Counter(lost.tolist()), Counter(won.tolist())
    found = [ClassChange(_name(names, c), down[c], up[c]) for c in {*down, *up}]
    return tuple(sorted(found, key=lambda c: (-(c.lost + c.won), c.name))[:most])


def _swaps(
    was: np.ndarray, now: np.ndarray, lost: np.ndarray, won: np.ndarray, names: Sequence[str], most: int
) -> tuple[Swap, ...]:
    differ = np.flatnonzero(was != now)
    pairs = Counter((int(was[i]), int(now[i])) for i in differ)
    down = Counter((int(was[i]), int(now[i])) for i in np.flatnonzero(lost))
    up = Counter((int(was[i]), int(now[i])) for i in np.flatnonzero(won))
    order = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[:most]
    return tuple(Swap(_name(names, a), _name(names, b), k, down[a, b], up[a, b]) for (a, b), k in order)
