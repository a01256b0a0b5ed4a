"""What a person sees while `speedwell accelerate` runs, and the lines it ends with."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ..core import Result
from ..core.errors import SpeedwellError
from .closing import closing_lines, interrupted_line
from .columns import Columns
from .live import Status
from .progress import Facts, Paths, TrialRow
from .words import plain

__all__ = ["TerminalProgress", "terminal_console"]

_PIPE_WIDTH = 100


def terminal_console(stderr: bool = False) -> Console:
    """A console that keeps quiet in a pipe and in CI: no escape codes there, no colour under NO_COLOR (rich's own).

    ``CI`` set to anything but "" or "false" counts as a pipe, although some CI gives jobs a terminal.
    """
    in_ci = os.environ.get("CI", "").lower() not in ("", "0", "false")
    console = Console(
        stderr=stderr, highlight=False, markup=False, emoji=False, force_terminal=False if in_ci else None
    )
    if not console.is_terminal and not os.environ.get("COLUMNS", "").isdigit():
        console.width = _PIPE_WIDTH
    return console


class TerminalProgress:
    """``Progress`` for people. On a terminal a live line stands at the bottom; elsewhere each row is one plain line.

    ``quiet``: only warnings, the end and errors. Errors and the stop message go to ``errors`` (standard error).
    ``clock``: seconds, for tests.
    """

    def __init__(
        self,
        console: Console | None = None,
        errors: Console | None = None,
        *,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console if console is not None else terminal_console()
        self._errors = errors if errors is not None else terminal_console(stderr=True)
        self._quiet = quiet
        self._plain = not self._console.is_terminal or self._console.is_dumb_terminal
        self._columns = Columns.fit(self._console.width, endless=self._plain)
        self._status = Status(clock=clock)
        self._live: Live | None = None
        self._headed = False
        self._said: set[str] = set()

    def header(self, facts: Facts) -> None:
        """The facts, then the live line begins."""
        self._status.began = self._status.clock()
        if self._quiet:
            return
        self._print(Text(""))
        self._pairs([(k, v if isinstance(v, str) else "\n".join(v)) for k, v in facts.items()])
        self._print(Text(""))
        if not self._plain:
            # Once a second and no more: drawing takes time on the very cores whose time is measured.
            self._live = Live(
                self._status, console=self._console, refresh_per_second=1, transient=True, redirect_stdout=False,
                redirect_stderr=False,
            )  # fmt: skip
            self._live.start()

    def budget(self, seconds: float | None, reserved: float = 0.0) -> None:
        self._status.budget_seconds, self._status.reserved_seconds = seconds, reserved
        self._refresh()

    def started(
        self, number: int, label: str, why: str = "", expected: float | None = None, upcoming: str = ""
    ) -> None:
        """The live line changes; in a pipe nothing is printed until there is a result."""
        del number  # the rows are told apart by their words
        self._status.running(label, why, expected, upcoming)
        self._refresh()

    def finished(self, row: TrialRow) -> None:
        if self._quiet:
            return
        if not self._headed:
            self._headed = True
            self._print(self._columns.head())
        self._print(self._columns.row(row))

    def note(self, text: str) -> None:
        if not self._quiet:
            self._hang("", Text(plain(text).rstrip(), style="dim"))

    def warning(self, text: str) -> None:
        self._said.add(plain(text))
        self._hang("warning", Text(plain(text).rstrip()))

    def confirming(self, round: int, of: int) -> None:
        """The live line shows the round; in a pipe the first round leaves one line."""
        self._status.confirming(round, of)
        self._refresh()
        if self._plain and round == 1 and not self._quiet:
            self._print(Text(f"  confirming: {of} rounds, original and finalists in fresh processes"))

    def done(self, result: Result, paths: Paths) -> None:
        """The verdict and where everything lies. A pasteable "Use it" line is never wrapped.

        Warnings are said again, far below their first place; not where nothing stands between (``quiet``).
        """
        self.close()
        lines = closing_lines(result, paths)
        if self._quiet:
            lines = [(head, text) for head, text in lines if head != "Warning" or text not in self._said]
        else:
            self._print(Text(""))
        self._pairs(lines)

    def interrupted(self, best: str, resume: str) -> None:
        self.close()
        self._errors.print(Text(interrupted_line(best, resume)), soft_wrap=True)

    def failed(self, error: SpeedwellError) -> None:
        """What is wrong, then the way out (it may hold commands, so it is printed as it is)."""
        self.close()
        self._errors.print(Text.assemble(("error  ", "bold red"), plain(error.what)), soft_wrap=True)
        if error.fix:
            self._errors.print(Text(plain(error.fix)), soft_wrap=True)

    def close(self) -> None:
        """Take the live line away; safe to call again."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _refresh(self) -> None:
        if self._live is not None:
            self._live.refresh()

    def _hang(self, head: str, text: Text) -> None:
        """An indented line; what does not fit goes on under its own beginning."""
        lead = Text("  ").append(f"{head}  " if head else "", style="yellow")
        if self._plain:
            self._print(lead.append(text))
            return
        grid = Table.grid()
        grid.add_row(lead, text)
        self._print(grid)

    def _print(self, content: Text | Table) -> None:
        # In a pipe a line stays a line, however long: it may be read by a program.
        self._console.print(content, soft_wrap=self._plain)

    def _pairs(self, pairs: Sequence[tuple[str, str | Path]]) -> None:
        width = max((len(k) for k, _ in pairs if len(k) <= 12), default=0)
        for name, value in pairs:
            text = plain(value).rstrip()
            if len(name) > 12 or self._plain or name in ("Use it", "Bundle", "Report", "Run"):
                head = f"{name}: " if len(name) > 12 else f"{plain(name):<{width}}  "
                lines = text.split("\n")
                self._print_raw(Text.assemble((head, "bold"), ("\n" + " " * (width + 2)).join(lines)), len(name) <= 12)
                continue
            grid = Table.grid(padding=(0, 2, 0, 0))
            grid.add_column(width=width, no_wrap=True)
            grid.add_column(overflow="fold")
            grid.add_row(Text(plain(name), style="bold"), Text(text))
            self._print(grid)

    def _print_raw(self, text: Text, unbroken: bool) -> None:
        self._console.print(text, soft_wrap=unbroken or self._plain)
