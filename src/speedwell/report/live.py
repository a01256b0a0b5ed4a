"""The line at the bottom while a run goes: how much of the budget is used, what runs, what comes next."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from .words import duration, plain, ratio

__all__ = ["Status"]


@dataclass
class Status:
    """What the live line shows; the terminal changes its fields, rich draws it once a second.

    ``budget_seconds``: None for a run without one. ``reserved_seconds``: the part kept for the confirmation.
    """

    budget_seconds: float | None = None
    reserved_seconds: float = 0.0
    clock: Callable[[], float] = time.monotonic
    now: str = "starting"
    since: float | None = None
    upcoming: str = ""
    began: float = field(default=0.0)

    def __post_init__(self) -> None:
        self.began = self.clock()

    def running(self, label: str, why: str, expected: float | None, upcoming: str) -> None:
        """A candidate begins."""
        hoped = f"expected {ratio(expected)}" if expected is not None else ""
        remarks = "; ".join(part for part in (plain(why), hoped) if part)
        self.now = plain(label) + (f" ({remarks})" if remarks else "")
        self.since = self.clock()
        self.upcoming = plain(upcoming)

    def confirming(self, round: int, of: int) -> None:
        self.now = f"confirming: round {round} of {of}, original and finalists in fresh processes"
        self.since = None
        self.upcoming = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        used = self.clock() - self.began
        yield Text("")
        yield self._bar(used, width)
        spent = f"  {duration(self.clock() - self.since)}" if self.since is not None else ""
        yield _line("now   ", self.now, spent, width)
        if self.upcoming and width >= 60:
            yield _line("next  ", self.upcoming, "", width)

    def _bar(self, used: float, width: int) -> Table:
        grid = Table.grid(padding=(0, 2, 0, 0))
        if self.budget_seconds is None:
            grid.add_row(Text(f"  {duration(used)} used", style="bold"))
            return grid
        left = max(0.0, self.budget_seconds - used)
        words = f"{duration(used)} used, {duration(left)} left"
        if self.reserved_seconds and width >= 78 and left > 0:
            words += f", {duration(self.reserved_seconds)} kept to confirm"
        bar = ProgressBar(
            total=max(self.budget_seconds, 1e-9),
            completed=min(used, self.budget_seconds),
            width=max(8, min(40, width - len(words) - 6)),
            complete_style="green",
            finished_style="green",
        )
        grid.add_row(Text(" "), bar, Text(words))
        return grid


def _line(head: str, text: str, tail: str, width: int) -> Text:
    room = max(8, width - 2 - len(head) - len(tail) - 1)
    line = Text("  ").append(head, style="dim")
    body = Text(text)
    body.truncate(room, overflow="ellipsis")
    return line.append(body).append(tail, style="dim")
