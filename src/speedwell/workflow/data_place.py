"""Where data lies: a path, seen from any folder, or scenes that are made ("scenes:digits?n=3000")."""

from __future__ import annotations

from pathlib import Path

from ..core.errors import DataNotFoundError
from ..inputs.scenes import is_scenes

__all__ = ["absolute", "found"]


def absolute(place: str | Path) -> str:
    """The same from every folder."""
    return str(place) if is_scenes(str(place)) else str(Path(place).absolute())


def found(place: str | Path, option: str) -> str:
    """``absolute``. Raises ``DataNotFoundError`` for a path at which nothing lies."""
    if not is_scenes(str(place)) and not Path(place).exists():
        raise DataNotFoundError(f"there is nothing at {place}", f"Check the path after --{option}.")
    return absolute(place)
