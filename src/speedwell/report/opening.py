"""The progress that fits the way a verb was called."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .jsonlines import JsonProgress
from .progress import Progress
from .terminal import TerminalProgress

__all__ = ["open_progress"]


@contextmanager
def open_progress(quiet: bool = False, as_json: bool = False) -> Iterator[Progress]:
    """JSON lines with ``as_json``, else the terminal. The live line is gone when the block ends, however it ends."""
    if as_json:
        yield JsonProgress()
        return
    shown = TerminalProgress(quiet=quiet)
    try:
        yield shown
    finally:
        shown.close()
