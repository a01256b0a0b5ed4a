"""``speedwell report``: write a run's report again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import arguments as a

__all__ = ["command"]


def command(
    run: Annotated[Path, typer.Argument(help="The run's folder.")],
    out: Annotated[Path | None, typer.Option("--out", help="The html file (default: RUN/report.html).")] = None,
    show_samples: Annotated[bool, typer.Option("--show-samples", help="Show samples on which answers differ.")] = False,
    debug: a.Debug = False,
) -> None:
    """Write RUN's report as one html file that opens offline."""
    from ..workflow.report import write_report

    del debug
    typer.echo(str(write_report(run, out, show_samples=show_samples)))
