"""Buying accuracy back: a fast candidate that lost accuracy, with more and more of it kept in float.

The repair parameter doubles (1, 2, 4, ...) until the promise holds on selection, then the gap to the last value that
lost is halved; it stops where nothing faster than the best so far can come out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from speedwell.core import Candidate

from .judgement import CLEARLY
from .knowledge import Knowledge, Row

__all__ = ["LARGEST", "Repair", "repairs"]

LARGEST = 64  # where the pass does not say how many layers there are
_CHANCE = 0.6


@dataclass(frozen=True)
class Repair:
    """``candidate`` repaired to ``value``; ``ratio`` expected. ``candidate`` None: nothing to do, ``why`` says why."""

    base: Candidate
    candidate: Candidate | None
    value: int
    ratio: float
    chance: float
    why: str


def repairs(known: Knowledge) -> Iterator[Repair]:
    """One repair (or the reason why none) for each engine and passes that were fast and lost accuracy."""
    groups: dict[tuple[str, tuple[str, ...]], list[Row]] = {}
    for row in known.rows:
        if row.outcome.failure is None and known.space.repair_of(row.outcome.candidate) == 0:
            groups.setdefault(row.shape, []).append(row)
    for members in groups.values():
        if any(r.judgement.safe for r in members):
            continue  # what is not repaired holds already, and is faster than any repair
        base = max(members, key=lambda r: (-1.0 if r.outcome.metric is None else r.outcome.metric, -r.outcome.number))
        yield _next(known, base)


def _next(known: Knowledge, start: Row) -> Repair:
    base = start.outcome.candidate
    tried, failed = {0: start}, []
    for row in known.rows:
        if row.repair and row.shape == start.shape and known.space.with_repair(row.outcome.candidate, 0) == base:
            if row.outcome.failure is None:
                tried[row.repair] = row
            else:
                failed.append(row.repair)
    high = min((v for v, r in tried.items() if r.judgement.safe), default=None)
    low = max(v for v in tried if high is None or v < high)
    # A value that cannot be built (more than there are layers) bounds the search as one that holds does.
    end = min([*failed, *([high] if high is not None else [])], default=None)
    limit = known.space.repair_limit(base) or LARGEST
    if stop := _stop(tried, low, high, end, limit):
        return Repair(base, None, low, 0.0, 0.0, stop)
    if end is None:
        value = min(_helped_elsewhere(known, base, low) or max(1, 2 * low), limit)
        words = f"{value} layer{'s' if value > 1 else ''} kept in float, because it lost accuracy without"
    else:
        value = (low + end) // 2
        words = f"{value} layers kept in float: {low} lost, {end} {'hold' if end == high else 'failed'}"
    ratio, chance = _speed(tried[low]), _CHANCE
    if high is not None:
        ratio, chance = math.sqrt(ratio * _speed(tried[high])), 0.5
    if ratio <= known.bar * CLEARLY:
        why = f"no longer faster: {ratio:.2f}x at best, {known.bar:.2f}x is there already"
        return Repair(base, None, value, ratio, chance, why)
    return Repair(base, known.space.with_repair(base, value), value, ratio, chance, words)


def _stop(tried: dict[int, Row], low: int, high: int | None, end: int | None, limit: int) -> str:
    """Why there is nothing more to repair; "" where there is."""
    if end is not None and (end <= low or end - low <= max(1, end // 8)):
        if end == high:
            return f"{high} kept in float hold, and fewer do not"
        return f"it loses accuracy with {low} kept in float, and failed with {end}"
    if end is None and low >= limit:
        return f"it loses accuracy even with {low} kept in float"
    before = max((v for v in tried if v < low), default=None)
    artifact = tried[low].outcome.artifact
    if end is None and before is not None and artifact and artifact == tried[before].outcome.artifact:
        return f"keeping more than {before} in float changes nothing"
    return ""


def _helped_elsewhere(known: Knowledge, base: Candidate, low: int) -> int | None:
    """The smallest value above ``low`` that holds for the same steps on another engine."""
    lossy = known.space.lossy_steps(base)
    values = [
        r.repair
        for r in known.rows
        if r.repair > low
        and r.shape[0] != base.engine
        and r.judgement.safe
        and known.space.lossy_steps(known.space.with_repair(r.outcome.candidate, 0)) == lossy
    ]
    return min(values, default=None)


def _speed(row: Row) -> float:
    return row.judgement.ratio or 0.0
