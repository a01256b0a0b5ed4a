"""A plan bound to input sizes: the operators that run, the shapes they meet, and where their operands lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Binding", "Operand", "Step"]

Home = Literal["input", "fixed", "arena"]


@dataclass(frozen=True)
class Operand:
    """``home``: "fixed" for constants and what is computed from shapes alone; ``at``: the number of the input, or the
    offset in the arena (bytes).
    """

    dtype: str
    shape: tuple[int, ...]
    bytes: int
    home: Home
    at: int

    @property
    def elements(self) -> int:
        count = 1
        for size in self.shape:
            count *= size
        return count


@dataclass(frozen=True)
class Step:
    """``operator``: its place in the plan. None in ``inputs`` and ``outputs`` is one left out. ``scratch_bytes`` are
    needed at offset ``scratch`` of the arena while it runs.
    """

    operator: int
    inputs: tuple[Operand | None, ...]
    outputs: tuple[Operand | None, ...]
    scratch: int
    scratch_bytes: int


@dataclass(frozen=True)
class Binding:
    """What the plan has and ``steps`` lacks was computed when it was bound, or only names memory in another shape."""

    arena_bytes: int
    steps: tuple[Step, ...]

    @staticmethod
    def of(told: Mapping[str, Any]) -> Binding:
        """From what the compiled module says."""
        return Binding(
            int(told["arena_bytes"]),
            tuple(
                Step(s["operator"], _operands(s["inputs"]), _operands(s["outputs"]), s["scratch"], s["scratch_bytes"])
                for s in told["steps"]
            ),
        )


def _operands(told: list[dict[str, Any] | None]) -> tuple[Operand | None, ...]:
    return tuple(
        None if o is None else Operand(o["dtype"], tuple(o["shape"]), o["bytes"], o["home"], o["at"]) for o in told
    )
