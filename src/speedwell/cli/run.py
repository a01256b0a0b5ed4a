"""``speedwell run``: a bundle's answers on files or texts."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Annotated

import typer

from . import arguments as a

__all__ = ["command"]


def command(
    bundle: Annotated[Path, typer.Argument(help="The bundle's folder.")],
    inputs: Annotated[list[str], typer.Argument(help="Images, or texts; @file.txt reads one text a line.")],
    key: Annotated[Path | None, typer.Option("--key", help="Public key of the signer, if it is not you.")] = None,
    unsigned: Annotated[bool, typer.Option("--unsigned", help="Open it although nobody vouches for it.")] = False,
    as_json: a.Json = False,
    debug: a.Debug = False,
) -> None:
    """Open BUNDLE (verified first) and print its answer for each input."""
    from ..core.errors import UsageError
    from ..workflow.open import open as open_bundle

    del debug
    items: list[str] = []
    for text in inputs:
        if text.startswith("@"):
            path = Path(text[1:])
            if not path.is_file():
                raise UsageError(f"{path} is not a file", "Write @ before the name of a text file, one input a line.")
            items += [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        else:
            items.append(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # said below, without a line of source code
        opened = open_bundle(bundle, key=key, unsigned=unsigned)
    for note in opened.notes:
        typer.echo(note, err=True)
    with opened as fast:
        if fast.reads == "images":
            items = [str(_existing(item)) for item in items]
        for item, answer in zip(items, fast(items), strict=True):
            if as_json:
                typer.echo(json.dumps({"input": item, **answer.as_dict()}))
            else:
                typer.echo(f"{item[:60]:<60}  {answer}")


def _existing(item: str) -> Path:
    from ..core.errors import DataNotFoundError

    path = Path(item)
    if not path.is_file():
        raise DataNotFoundError(f"{item} is not a file", "Name image files: speedwell run bundle/ photo.jpg")
    return path
