"""What a person, or a program, sees while a network trains."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol, TextIO

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from .terminal import terminal_console
from .words import digits, duration, percent, plain

__all__ = ["TrainingJson", "TrainingScreen"]


class Plan(Protocol):
    """``total`` steps, ``per_epoch`` of them an epoch."""

    total: int
    per_epoch: int


class TrainingScreen:
    """A line a validation, and on a terminal a live line under them. ``metric``: its name."""

    def __init__(self, console: Console | None = None, *, quiet: bool = False) -> None:
        self._console = console if console is not None else terminal_console()
        self._quiet = quiet
        self._plain = not self._console.is_terminal or self._console.is_dumb_terminal
        self._live: Live | None = None
        self._total = self._per_epoch = 1
        self._first = self._step = 0
        self._began = self._said = time.monotonic()
        self._loss: float | None = None
        self._speed = 0.0
        self._headed = False
        self.metric = "metric"

    def header(self, facts: Mapping[str, str]) -> None:
        """Once, first: facts by heading."""
        if not self._quiet:
            self._print(Text(""))
            self.pairs(list(facts.items()))
            self._print(Text(""))

    def pairs(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Headings and words, aligned."""
        width = max(len(name) for name, _ in pairs)
        for name, text in pairs:
            lines = plain(text).split("\n")
            self._print(Text.assemble((f"{name:<{width}}  ", "bold"), ("\n" + " " * (width + 2)).join(lines)))

    def started(self, plan: Plan, step: int) -> None:
        """The live line begins; called again where the plan changes."""
        self._total, self._per_epoch = plan.total, plan.per_epoch
        if self._live is None:
            self._first, self._began = step, time.monotonic()
        if not self._quiet and not self._plain and self._live is None:
            # twice a second: drawing takes time on the cores that train
            self._live = Live(self, console=self._console, refresh_per_second=2, transient=True)
            self._live.start()

    def row(self, row: Any) -> None:
        self._step, self._speed = row.step, row.speed
        if row.loss is not None:
            self._loss = row.loss
        if self._quiet:
            return
        if row.metric is None:
            # in a pipe silence would look like a hang: a line a minute
            if self._plain and time.monotonic() - self._said > 60:
                self._line(row, "")
            return
        best = "  best so far" if row.best else ""
        self._line(row, f"{percent(row.metric):>9}{best}")

    def note(self, text: str) -> None:
        if not self._quiet:
            self._print(Text("  ").append(plain(text), style="dim"))

    def warning(self, text: str) -> None:
        self._print(Text("  ").append("warning  ", style="yellow").append(plain(text)))

    def close(self) -> None:
        """Take the live line away; safe to call again."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _line(self, row: Any, metric: str) -> None:
        self._said = time.monotonic()
        if not self._headed:
            self._headed = True
            self._print(
                Text(f"  {'epoch':>6}  {'loss':>7}  {'samples/s':>9}  {'time':>7}  {self.metric:>9}", style="bold")
            )
        loss = digits(self._loss) if self._loss is not None else ""
        self._print(
            Text(f"  {row.epoch:>6.1f}  {loss:>7}  {row.speed:>9,.0f}  {duration(row.seconds):>7}  {metric}".rstrip())
        )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        done = max(1, self._step - self._first)
        used = time.monotonic() - self._began
        left = used / done * (self._total - self._step) if self._step > self._first else None
        words = f"epoch {self._step / self._per_epoch:.1f} of {self._total / self._per_epoch:.3g}"
        if self._loss is not None:
            words += f", loss {digits(self._loss)}, {self._speed:,.0f} samples/s"
        words += f", {duration(left)} left" if left is not None else f", {duration(used)}"
        grid = Table.grid(padding=(0, 2, 0, 0))
        bar = ProgressBar(
            total=self._total,
            completed=self._step,
            width=max(8, min(36, options.max_width - len(words) - 6)),
            complete_style="green",
            finished_style="green",
        )
        grid.add_row(Text(" "), bar, Text(words))
        yield grid

    def _print(self, text: Text) -> None:
        self._console.print(text, soft_wrap=self._plain)


class TrainingJson:
    """The same events for machines: one JSON object a line, with ``event`` and ``at`` (seconds since the start)."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stdout
        self._began = time.monotonic()
        self.metric = "metric"

    def header(self, facts: Mapping[str, str]) -> None:
        self.say("header", **facts)

    def started(self, plan: Plan, step: int) -> None:
        self.say("started", total=plan.total, per_epoch=plan.per_epoch, step=step)

    def row(self, row: Any) -> None:
        self.say("row", **{k: v for k, v in asdict(row).items() if v is not None})

    def note(self, text: str) -> None:
        self.say("note", text=text)

    def warning(self, text: str) -> None:
        self.say("warning", text=text)

    def close(self) -> None:
        """Nothing is held."""

    def say(self, event: str, **values: Any) -> None:
        """One line, flushed."""
        at = round(time.monotonic() - self._began, 3)
        self._stream.write(json.dumps({"event": event, "at": at, **values}) + "\n")
        self._stream.flush()
