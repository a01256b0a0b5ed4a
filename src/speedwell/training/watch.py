"""What a training tells while it goes: the interface that the loop calls, and its null object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from .stop import Plan

__all__ = ["NullWatch", "Row", "Watch"]


@dataclass(frozen=True)
class Row:
    """One line of the history. ``loss``: mean since the last row; ``metric``: validation, 0..1, None between
    validations; ``rate``: learning rate; ``speed``: samples a second over all processes; ``seconds`` of
    training so far.
    """

    step: int
    epoch: float
    loss: float | None
    rate: float
    norm: float | None
    speed: float
    seconds: float
    metric: float | None = None
    best: bool = False


class Watch(Protocol):
    """Calls come from the training's thread; no call raises for what it is asked to show. ``metric``: its name, set
    before the first call.
    """

    metric: str

    def header(self, facts: Mapping[str, str]) -> None:
        """What is trained on what, by heading; by those who know it, before ``started``."""
        ...

    def started(self, plan: Plan, step: int) -> None:
        """Training begins, or goes on, at ``step``. Called again where the plan changes."""
        ...

    def row(self, row: Row) -> None: ...

    def note(self, text: str) -> None: ...

    def warning(self, text: str) -> None: ...


class NullWatch:
    """Says nothing."""

    metric = ""

    def header(self, facts: Mapping[str, str]) -> None: ...

    def started(self, plan: Plan, step: int) -> None: ...

    def row(self, row: Row) -> None: ...

    def note(self, text: str) -> None: ...

    def warning(self, text: str) -> None: ...
