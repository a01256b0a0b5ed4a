"""The command line: ``speedwell <verb>``. Each verb is a file; all they do is translate arguments and outcomes."""

from __future__ import annotations

from .app import main

__all__ = ["main"]
