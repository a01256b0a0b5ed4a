"""The product of an activation and a constant float weight -> ``gemm_float``."""

from __future__ import annotations

import numpy as np

from .graph import Graph, Operator, Value
from .linear import linear_of, put_product

__all__ = ["rewrite"]


def rewrite(graph: Graph) -> int:
    """Returns how many products were found."""
    packed: dict[tuple[Value, int, float], Value] = {}
    return sum(_match(graph, operator, packed) for operator in graph.each("MatMul", "Gemm"))


def _match(graph: Graph, operator: Operator, packed: dict[tuple[Value, int, float], Value]) -> bool:
    linear = linear_of(operator)
    if linear is None or linear.x.dtype != "float32" or linear.weight.array is None:
        return False
    array = linear.weight.array
    if array.dtype != np.float32:
        return False
    key = (linear.weight, linear.out_axis, linear.alpha)
    if key not in packed:
        rows = array if linear.out_axis == 0 else array.T
        scaled = rows if linear.alpha == 1.0 else rows * np.float32(linear.alpha)
        packed[key] = graph.constant(linear.weight.name, np.ascontiguousarray(scaled, np.float32))
    put_product(graph, operator, linear, "gemm_float", [packed[key]], {})
    return True
