"""What a run would try, without trying it (``--dry-run``)."""

from __future__ import annotations

from dataclasses import dataclass

from .estimates import Estimates
from .ladder import plan
from .proposal import Rung
from .space import Space

__all__ = ["DryRow", "describe"]


@dataclass(frozen=True)
class DryRow:
    """One row of the dry run. ``fits``: expected to be reached within the search's time. ``rung`` is "not here" for
    an engine that cannot run on this machine.
    """

    rung: Rung | str
    what: str
    why: str
    expected_ratio: float
    cost_seconds: float
    fits: bool


def describe(space: Space, estimates: Estimates, budget_left: float) -> tuple[DryRow, ...]:
    """Every trial in the order expected before anything is measured, then the engines that cannot run and why.

    Repairs and combinations, which depend on results, are not listed.
    """
    expected = plan(space, (), {}, budget_left, estimates)
    proposals = [p for p in (expected.next, *expected.waiting) if p is not None]
    rows, spent = [], 0.0
    for p in proposals:
        spent += p.cost_seconds
        rows.append(DryRow(p.rung, p.candidate.label, p.why, p.expected_ratio, p.cost_seconds, spent <= budget_left))
    rows += [DryRow("not here", e.name, e.why_not, 0.0, 0.0, False) for e in space.engines if e.why_not]
    return tuple(rows)
