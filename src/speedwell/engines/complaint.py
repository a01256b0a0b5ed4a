"""An engine's own words, made short, as one of our errors."""

from __future__ import annotations

import re

from ..core.errors import EngineError

__all__ = ["complaint", "words"]

LINES = 3
LENGTH = 600
"""Characters of the engine's text that are kept: enough for a table row's tooltip, short enough for a terminal."""

_NOISE = re.compile(
    r"^\s*$|^Traceback|^\s*File \"|^\s*\^+\s*$"
    r"|^Exception from .*:\d+:?$|^Check '.*' failed at|^FrontEnd API failed with|^Summary:"  # OpenVINO
    r"|^Set TORCH|^You can suppress|^from user code|^\s*(import )?torch\._dynamo"  # torch.compile
)
_NO_MEMORY = re.compile(r"bad[ _]alloc|can't allocate memory|Failed to allocate memory|out of memory", re.IGNORECASE)


def words(error: BaseException) -> str:
    """The first lines of the error's text that say something, at most three of them, on one line."""
    lines = [line.strip() for line in str(error).splitlines() if not _NOISE.search(line)]
    return "; ".join(lines[:LINES])[:LENGTH] or type(error).__name__


def complaint(engine: str, doing: str, error: Exception, fix: str = "") -> Exception:
    """What to raise for ``error``: ``MemoryError`` where memory ran out (a worker reports it as such), else
    ``EngineError`` "onnxruntime cannot compile: <its words>".
    """
    if isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)):
        return MemoryError(f"{engine} ran out of memory: {words(error)}")
    return EngineError(f"{engine} cannot {doing}: {words(error)}", fix)
