"""``Accelerated``: what the Python call gives back."""

from __future__ import annotations

import html
import shutil
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.candidate import Candidate
from ..core.errors import OutputError
from ..core.result import Refusal, Result

if TYPE_CHECKING:
    from .opened import Fast

__all__ = ["Accelerated"]


class Accelerated:
    """``result``: the whole record. ``run``: its folder. ``bundle``: None where the original is kept."""

    def __init__(self, result: Result, run: Path, bundle: Path | None, report: Path) -> None:
        self.result = result
        self.run = run
        self.bundle = bundle
        self._report = report

    @property
    def sentence(self) -> str:
        """The verdict."""
        return self.result.sentence

    @cached_property
    def best(self) -> Fast | None:
        """The certified winner, opened from its bundle: a callable. None where the answer is "keep the original"."""
        from .open import open as open_bundle

        return open_bundle(self.bundle) if self.bundle is not None else None

    @property
    def front(self) -> tuple[Candidate, ...]:
        """Candidates that no other beats in both accuracy and speed, fastest first (by the selection split)."""
        return self.result.front

    @property
    def refused(self) -> tuple[Refusal, ...]:
        """Every candidate that lost, and why."""
        return self.result.refused

    def save(self, bundle: str | Path) -> Path:
        """Copy the bundle to another place. Raises ``OutputError`` where there is none, or the place is taken."""
        if self.bundle is None:
            raise OutputError(f"there is no bundle to save: {self.sentence}")
        target = Path(bundle)
        if target.exists():
            raise OutputError(f"{target} exists", "Name a new folder.")
        shutil.copytree(self.bundle, target)
        return target

    def report(self, out: str | Path | None = None, show_samples: bool = False) -> Path:
        """The html report; written anew where ``out`` or ``show_samples`` ask for it."""
        if out is None and not show_samples:
            return self._report
        from .report import write_report

        return write_report(self.run, out, show_samples)

    def __repr__(self) -> str:
        return f"<Accelerated: {self.sentence}>"

    def _repr_html_(self) -> str:
        """For notebooks."""
        rows = "".join(
            f"<tr><td>{html.escape(c.candidate.label)}</td><td>{100 * c.accuracy.candidate:.1f} %</td>"
            f"<td>{c.speed[0].ratio.estimate:.2f}x</td>"
            f"<td>{'certified' if c.certified else html.escape(c.reason)}</td></tr>"
            for c in self.result.confirmations
            if c.speed
        )
        head = "<tr><th>candidate</th><th>accuracy</th><th>speed</th><th></th></tr>"
        return f"<p><b>{html.escape(self.sentence)}</b></p><table>{head}{rows}</table>"
