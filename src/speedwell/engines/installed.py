"""Is a library here, new enough? Answered from package metadata, so that nothing heavy is imported."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from ..core.protocols import Availability

__all__ = ["installed", "release"]


def release(text: str) -> tuple[int, ...]:
    """The leading numbers of a version: "2.13.0+cpu" gives (2, 13, 0)."""
    match = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(int(part) for part in match.group().split(".")) if match else ()


def installed(module: str, minimum: str, extra: str = "", distributions: Sequence[str] = ()) -> Availability:
    """Whether ``module`` can be imported at version ``minimum`` or later. Never raises.

    ``distributions``: package names that may bring it, the usual one first (default: the module's name).
    ``extra``: Speedwell's extra that brings it; without one, it is part of the base installation.
    """
    command = f'pip install "speedwell[{extra}]"' if extra else f'pip install --upgrade "{module}>={minimum}"'
    try:
        found = find_spec(module) is not None
    except (ImportError, ValueError) as error:
        return Availability(False, why_not=f"{module} cannot be found: {error}. {command}")
    if not found:
        return Availability(False, why_not=f"{module} is not installed. {command}")
    have = _version(distributions or (module,))
    if have and release(have) < release(minimum):
        return Availability(
            False, have, f'{module} {have} is older than {minimum}. pip install --upgrade "{module}>={minimum}"'
        )
    return Availability(True, have or "unknown")


def _version(distributions: Sequence[str]) -> str:
    for name in distributions:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return ""
