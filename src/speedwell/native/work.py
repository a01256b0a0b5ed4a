"""What an operator has to multiply, and at which measured rate that is estimated."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from .binding import Step
from .calibration import AttentionSize, Rates
from .plan import Operator

__all__ = ["Work"]

Rate = Literal["int8", "float32", "attention", ""]
MOST_POSITIONS = 512
"""Of an attention that is timed for its rate: longer ones take long, and cost the same a product."""


@dataclass(frozen=True)
class Work:
    """``rate`` "" and no multiply-adds: an operator that the estimate counts by its bytes alone. ``attention``: the
    size at which the rate of an attention like this is measured.
    """

    rate: Rate = ""
    multiply_adds: int = 0
    attention: AttentionSize | None = None

    @staticmethod
    def of(operator: Operator, step: Step) -> Work:
        first, out = step.inputs[0] if step.inputs else None, next((o for o in step.outputs if o is not None), None)
        if first is None or out is None or not first.shape or not out.elements:
            return Work()
        if operator.kind == "attention":
            return _attention(operator, step, out.elements, out.shape)
        if not (operator.kind.startswith("gemm") or operator.kind in ("Gemm", "MatMul")):
            return Work()
        axis = -2 if operator.attributes.get("transA") and len(first.shape) > 1 else -1
        count = out.elements * first.shape[axis]
        return Work("int8" if operator.kind.startswith("gemm_int") else "float32", count) if count else Work()

    def seconds(self, rates: Rates, mean_run: float | None) -> float:
        """``mean_run``: T of an int8 product; 1 where there is none."""
        if self.rate == "int8":
            return rates.int8_seconds(self.multiply_adds, mean_run or 1.0)
        if not self.rate:
            return 0.0
        return self.multiply_adds / (rates.attention if self.rate == "attention" else rates.float32)


def _attention(operator: Operator, step: Step, elements: int, shape: tuple[int, ...]) -> Work:
    keys = step.inputs[1] if len(step.inputs) > 1 else None
    if keys is None or len(keys.shape) < 2 or not keys.shape[1]:
        return Work()
    positions = max(math.isqrt(shape[1] * keys.shape[1]), 1)  # as many queries as keys, and as many products
    precision = str(operator.attributes.get("precision", "float32"))
    size = AttentionSize(min(positions, MOST_POSITIONS), int(operator.attributes["head_dim"]), precision)
    return Work("attention", 2 * elements * keys.shape[1], size)
