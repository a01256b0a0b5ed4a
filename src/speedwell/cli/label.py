"""``speedwell label``: ask for the few labels that decide an undecided promise."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import arguments as a
from .screen import say

__all__ = ["command"]


def command(
    run: Annotated[Path, typer.Argument(help="The run's folder.")],
    labels: Annotated[
        Path | None, typer.Option("--labels", help="The csv file with its label column filled in: finish the verdict.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Where the csv file goes (default: in the run).")] = None,
    max_drop: Annotated[str, typer.Option("--max-drop", help="The promise to decide: 1%, 1pt.")] = "1pt",
    as_json: a.Json = False,
    debug: a.Debug = False,
) -> None:
    """Write the inputs on which original and winner differ; with their labels, finish the verdict."""
    from ..workflow.label import label

    del debug
    say(label(run, labels=labels, out=out, max_drop=max_drop), as_json)
