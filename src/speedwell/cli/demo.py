"""``speedwell demo``: the main job on data that comes with packages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import arguments as a
from .screen import progress

__all__ = ["command"]


def command(
    what: Annotated[str, typer.Argument(help="images or text.")] = "images",
    out: Annotated[Path, typer.Option("--out", help="Where model, data, bundle and report go.")] = Path("demo-out"),
    budget: Annotated[str, typer.Option("--budget", help="Time for the search and its proof.")] = "3m",
    quiet: a.Quiet = False,
    as_json: a.Json = False,
    debug: a.Debug = False,
) -> None:
    """Train a small network (images) or take the packaged MiniLM (text), then make it faster and prove it."""
    from ..workflow.demo import demo

    del debug
    with progress(quiet, as_json) as shown:
        demo(what, out=out, budget=budget, progress=shown)
