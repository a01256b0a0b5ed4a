"""x W + b, as MatMul or Gemm says it, and the product that takes its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .graph import Graph, Operator, Value, is_kind
from .shapes import infer

__all__ = ["Linear", "column_vector", "linear_of", "put_product"]


@dataclass(frozen=True, eq=False)
class Linear:
    """``alpha * x @ weight + beta * addend``; ``out_axis``: the axis of the weight that counts output columns."""

    x: Value
    weight: Value
    out_axis: int
    alpha: float = 1.0
    beta: float = 1.0
    addend: Value | None = None


def linear_of(operator: Operator) -> Linear | None:
    """None for anything else, and for a Gemm that transposes its first operand."""
    x, weight = operator.input(0), operator.input(1)
    if x is None or weight is None or weight.rank != 2 or x.array is not None:
        return None
    if operator.kind == "MatMul":
        return Linear(x, weight, 1)
    if operator.kind != "Gemm" or operator.attributes.get("transA", 0):
        return None
    read = operator.attributes.get
    return Linear(x, weight, 0 if read("transB", 0) else 1, read("alpha", 1.0), read("beta", 1.0), operator.input(2))


def put_product(
    graph: Graph,
    operator: Operator,
    linear: Linear,
    kind: str,
    weights: list[Value | None],
    attributes: Mapping[str, Any],
) -> None:
    """A product of ``kind`` in ``operator``'s place. ``weights``: weight [N, K] and, for int8, its scales."""
    old = operator.output
    columns = weights[0].shape[0] if weights[0] is not None and weights[0].shape else None
    bias = column_vector(linear.addend, columns) if isinstance(columns, int) else None
    name, rest = operator.name, linear.addend if bias is None else None
    held = (
        graph.constant(f"{name}.bias", (bias * np.float32(linear.beta)).astype(np.float32))
        if bias is not None
        else None
    )
    made = graph.add(kind, [linear.x, *weights, held, None], attributes, near=operator, name=name, like=old)
    infer(made)
    out = made.output
    if rest is not None:
        if linear.beta != 1.0:
            factor = graph.constant(f"{name}.beta", np.asarray(linear.beta, np.float32))
            rest = graph.add("Mul", [rest, factor], near=operator, like=rest).output
        out = graph.add("Add", [out, rest], near=operator, like=old).output
    graph.replace(old, out)
    graph.remove(operator)


def column_vector(value: Value | None, columns: int) -> np.ndarray | None:
    """float32 [columns] where ``value`` is a constant that broadcasts along the last axis alone, else None."""
    if value is None:
        return None
    array = value.array if value.array is not None else _dequantized(value)
    if array is None or array.dtype != np.float32 or array.size not in (1, columns):
        return None
    if array.ndim and (array.shape[-1] != array.size):
        return None
    return np.broadcast_to(array.reshape(-1), (columns,)).astype(np.float32)


def _dequantized(value: Value) -> np.ndarray | None:
    """The elements of a bias that is held as integers with their scale."""
    maker = value.maker
    if not is_kind(maker, "DequantizeLinear") or maker is None:
        return None
    steps, scale, zero = (maker.input(i) for i in range(3))
    if steps is None or steps.array is None or scale is None or scale.array is None or steps.array.ndim > 1:
        return None
    if zero is not None and (zero.array is None or zero.array.any()):
        return None
    return (steps.array.astype(np.float32) * scale.array.astype(np.float32)).astype(np.float32)
