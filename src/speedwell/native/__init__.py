"""The native engine: ONNX lowered to a plan, and the plan run by our own executor (docs/native.md).

The names below are loaded at first use: importing this room loads neither onnx nor the compiled module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .public import (
        Explanation,
        LowerOptions,
        Plan,
        PlanFacts,
        Session,
        available,
        explain,
        find_plan,
        keep_plan,
        lower,
        read_plan,
        supported_isas,
        write_plan,
    )

__all__ = [
    "Explanation", "LowerOptions", "Plan", "PlanFacts", "Session", "available", "explain", "find_plan", "keep_plan",
    "lower", "read_plan", "supported_isas", "write_plan",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import public

    globals().update({n: getattr(public, n) for n in __all__})
    return globals()[name]


def __dir__() -> list[str]:
    return sorted(__all__)
