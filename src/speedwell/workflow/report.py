"""Write a run's report: what the run folder holds, as one html file."""

from __future__ import annotations

from pathlib import Path

from ..core.candidate import Candidate
from .run_folder import RunFolder

__all__ = ["write_report"]


def write_report(run: str | Path, out: str | Path | None = None, show_samples: bool = False) -> Path:
    """``out`` defaults to ``RUN/report.html``. ``show_samples``: samples on which original and winner differ may be
    shown (they are the user's data, so only on request). Raises ``RunError`` where the folder holds no run.
    """
    from ..report import write_html
    from .differing import shown_samples

    folder = RunFolder.open(Path(run))
    target = Path(out) if out is not None else folder.path / "report.html"
    return write_html(folder.path, target, shown_samples(folder) if show_samples else None)


def winner_of(folder: RunFolder) -> Candidate | None:
    """The certified candidate of a finished run, None where there is none."""
    from ..core.record import loads
    from ..core.result import Result

    text = folder.path / "result.json"
    return loads(Result, text.read_text()).best if text.is_file() else None
