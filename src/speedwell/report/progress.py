"""What a run tells while it goes: the interface that the workflow calls, and its null object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from ..core import Interval, Result
from ..core.errors import SpeedwellError

__all__ = ["Facts", "NullProgress", "Paths", "Progress", "TrialRow"]

Facts = Mapping[str, str | Sequence[str]]
Paths = Mapping[str, str | Path]


@dataclass(frozen=True)
class TrialRow:
    """One finished candidate. ``accuracy`` 0..1 and ``difference`` (candidate minus original, 0..1), None without
    labels. ``seconds``: median latency. ``ratio``: original's time / its time. ``words``: why it lost, or any remark
    ("" where the numbers say all). ``best``: the best so far. ``failed``: it never ran well enough to be measured.
    """

    number: int
    label: str
    accuracy: float | None = None
    difference: float | None = None
    seconds: float | None = None
    ratio: Interval | None = None
    words: str = ""
    best: bool = False
    failed: bool = False


@runtime_checkable
class Progress(Protocol):
    """Calls come from one thread, in the order of the run; no call raises for what it is asked to show."""

    def header(self, facts: Facts) -> None:
        """Once, first: "Machine", "Model", "Data", "Promise", each one line or several. The clock starts here."""
        ...

    def budget(self, seconds: float | None, reserved: float = 0.0) -> None:
        """How long the run may take, from ``header`` on, and the part of it kept for the confirmation."""
        ...

    def started(
        self, number: int, label: str, why: str = "", expected: float | None = None, upcoming: str = ""
    ) -> None:
        """A candidate begins; ``expected``: the ratio hoped for; ``upcoming``: what comes after it."""
        ...

    def finished(self, row: TrialRow) -> None: ...

    def note(self, text: str) -> None: ...

    def warning(self, text: str) -> None: ...

    def confirming(self, round: int, of: int) -> None:
        """Round ``round`` of ``of`` of the confirmation begins."""
        ...

    def done(self, result: Result, paths: Paths) -> None:
        """The end. ``paths``, all optional: "bundle", "report", "run", and "use" (the line of code to paste)."""
        ...

    def interrupted(self, best: str, resume: str) -> None:
        """Ctrl-C or SIGTERM. ``best``: where the best so far lies ("" for none); ``resume``: the command to go on."""
        ...

    def failed(self, error: SpeedwellError) -> None: ...


class NullProgress:
    """Says nothing: for calls from Python."""

    def header(self, facts: Facts) -> None: ...

    def budget(self, seconds: float | None, reserved: float = 0.0) -> None: ...

    def started(
        self, number: int, label: str, why: str = "", expected: float | None = None, upcoming: str = ""
    ) -> None: ...

    def finished(self, row: TrialRow) -> None: ...

    def note(self, text: str) -> None: ...

    def warning(self, text: str) -> None: ...

    def confirming(self, round: int, of: int) -> None: ...

    def done(self, result: Result, paths: Paths) -> None: ...

    def interrupted(self, best: str, resume: str) -> None: ...

    def failed(self, error: SpeedwellError) -> None: ...
