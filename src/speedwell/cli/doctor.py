"""``speedwell doctor``: what this machine can run."""

from __future__ import annotations

from . import arguments as a
from .screen import say

__all__ = ["command"]


def command(as_json: a.Json = False, debug: a.Debug = False) -> None:
    """Say what this machine can run, and for what cannot run: why not, and the fix."""
    from ..workflow.doctor import doctor

    del debug
    say(doctor(), as_json)
