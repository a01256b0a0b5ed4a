"""Rows of a profile, added up by operator kind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from ..core.protocols import OperatorTime

__all__ = ["operator_times"]


def operator_times(rows: Iterable[tuple[str, float, float]], runs: int) -> tuple[OperatorTime, ...]:
    """``rows``: (operator kind, seconds, how many executions) over all ``runs``. Gives means per run, largest first.

    Ties are in the order of names, so that the same times give the same table.
    """
    seconds: dict[str, float] = defaultdict(float)
    count: dict[str, float] = defaultdict(float)
    for kind, time, times in rows:
        seconds[kind] += time
        count[kind] += times
    found = [OperatorTime(kind, seconds[kind] / runs, max(1, round(count[kind] / runs))) for kind in seconds]
    return tuple(sorted(found, key=lambda row: (-row.seconds, row.operator)))
