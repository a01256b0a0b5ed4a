"""Where a verb's words go: a live terminal, plain lines in a pipe, JSON lines, or nothing but the verdict."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Protocol

import typer

__all__ = ["Sayable", "progress", "say"]


class Sayable(Protocol):
    """A verb's answer: a frozen record that has its words as well."""

    @property
    def text(self) -> str: ...


@contextmanager
def progress(quiet: bool, as_json: bool) -> Iterator[Any]:
    """The progress to hand to the workflow. SIGTERM and SIGHUP end a run as Ctrl-C does: nothing is lost."""
    from ..report import open_progress

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt

    before = {s: signal.signal(s, stop) for s in (signal.SIGTERM, signal.SIGHUP)}
    try:
        with open_progress(quiet=quiet, as_json=as_json) as shown:
            yield shown
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def say(answer: Sayable, as_json: bool) -> None:
    """Print a verb's answer."""
    from ..core.record import encode

    typer.echo(json.dumps(encode(answer)) if as_json else answer.text)
