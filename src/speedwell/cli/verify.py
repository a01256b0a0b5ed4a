"""``speedwell verify``: is this bundle what its signer made?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import arguments as a
from .screen import say

__all__ = ["command"]


def command(
    bundle: Annotated[Path, typer.Argument(help="The bundle's folder.")],
    key: Annotated[Path | None, typer.Option("--key", help="Public key of the signer, if it is not you.")] = None,
    as_json: a.Json = False,
    debug: a.Debug = False,
) -> None:
    """Check every file of BUNDLE against its manifest, and the signature."""
    from ..workflow.verify import verify

    del debug
    say(verify(bundle, key=key), as_json)
