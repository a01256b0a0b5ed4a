"""The compiled executor, where it was built: whether it is there, and what it has."""

from __future__ import annotations

import functools
from importlib.util import find_spec
from types import ModuleType

from ..core.errors import EngineUnavailableError

__all__ = ["available", "engine", "kinds", "supported_isas"]

NOT_BUILT = (
    "the native engine is not built; build it: pip install . again where there is a C++ compiler (or: make native)"
)


@functools.cache
def _load() -> tuple[ModuleType | None, str]:
    try:
        from . import _engine
    except ImportError as error:
        if find_spec(f"{__package__}._engine") is None:
            return None, NOT_BUILT
        return None, f"the native engine does not load ({error}); build it again: make native"
    return _engine, ""


def available() -> tuple[bool, str]:
    """Whether the executor can run here, and why not, with the fix."""
    module, why_not = _load()
    return module is not None, why_not


def engine() -> ModuleType:
    """The compiled module. Raises ``EngineUnavailableError`` where it is not built."""
    module, why_not = _load()
    if module is None:
        what, _, fix = why_not.partition("; ")
        raise EngineUnavailableError(what, fix[:1].upper() + fix[1:])
    return module


def kinds() -> frozenset[str] | None:
    """The kinds of operators that the executor has; None where it is not built, so that a plan can still be written."""
    module, _ = _load()
    return frozenset(module.operator_kinds()) if module is not None else None


def supported_isas() -> tuple[str, ...]:
    """Instruction sets that this CPU has kernels for, best first; none where the executor is not built."""
    module, _ = _load()
    return tuple(module.supported_isas()) if module is not None else ()
