"""A quantized constant that no integer product took becomes floats."""

from __future__ import annotations

import numpy as np

from .graph import Graph, Operator

__all__ = ["rewrite"]


def rewrite(graph: Graph) -> int:
    """Returns how many constants were made."""
    return sum(_fold(graph, operator) for operator in graph.each("DequantizeLinear"))


def _along(array: np.ndarray, rank: int, axis: int) -> np.ndarray:
    """One number, or a row of them that broadcasts along ``axis``."""
    if array.size == 1:
        return array.reshape(())
    return array.reshape([-1 if i == axis else 1 for i in range(rank)])


def _fold(graph: Graph, operator: Operator) -> bool:
    steps, scale, zero = (value.array if value is not None else None for value in map(operator.input, range(3)))
    if steps is None or scale is None or (operator.input(2) is not None and zero is None):
        return False
    if steps.dtype.name not in ("int8", "int32", "uint8") or scale.dtype != np.float32 or scale.ndim > 1:
        return False
    if operator.attributes.get("block_size", 0):
        return False
    axis = operator.attributes.get("axis", 1) % max(steps.ndim, 1)
    middle = _along(zero.astype(np.int64), steps.ndim, axis) if zero is not None else 0
    floats = ((steps.astype(np.int64) - middle).astype(np.float32) * _along(scale, steps.ndim, axis)).astype(np.float32)
    graph.replace(operator.output, graph.constant(operator.output.name, floats))
    graph.remove(operator)
    return True
