"""``speedwell explain``: look inside what was made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import UsageError
from . import arguments as a
from .screen import say

__all__ = ["app"]

app = typer.Typer(
    name="explain", help="Look inside what was made.", no_args_is_help=True, rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip


@app.callback()
def _explain() -> None:
    """Look inside what was made."""


@app.command("plan")
def plan(
    path: Annotated[Path, typer.Argument(help="An ONNX file, a plan's folder, or a bundle that native won.")],
    shape: Annotated[
        list[str] | None, typer.Option("--shape", metavar="NAME=SIZES", help="An input's sizes: input_ids=1x128.")
    ] = None,
    isa: Annotated[
        str | None, typer.Option("--isa", help="Kernels: avx512_vnni, avx512, avx2, scalar (default: the best here).")
    ] = None,
    threads: Annotated[int, typer.Option("--threads", help="Threads; 0 = every core this process may use.")] = 0,
    key: Annotated[Path | None, typer.Option("--key", help="Public key of a bundle's signer, if not you.")] = None,
    unsigned: Annotated[bool, typer.Option("--unsigned", help="Read a bundle although nobody vouches for it.")] = False,
    as_json: a.Json = False,
    debug: a.Debug = False,
) -> None:
    """Print the native engine's plan of PATH: each operator's shapes, T, bytes, place in memory, and its time,
    estimated and measured.
    """
    from ..workflow.explain import explain_plan

    del debug
    shapes = dict(_sizes(text) for text in shape or ())
    say(explain_plan(path, shapes, isa or "", threads, key, unsigned), as_json)


def _sizes(text: str) -> tuple[str, tuple[int, ...]]:
    name, equals, sizes = text.rpartition("=")
    parts = sizes.lower().split("x") if sizes else []
    if not equals or not name or not parts or not all(p.isascii() and p.isdigit() for p in parts):
        raise UsageError(f"--shape is {text!r}", "Write NAME=SIZES: --shape input_ids=1x128")
    return name, tuple(int(p) for p in parts)
