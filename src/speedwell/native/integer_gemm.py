"""An integer product of bytes whose scale is known beforehand (a quantized embedding table) -> ``gemm_int8``.

ONNX Runtime's dynamic quantization leaves MatMulInteger with a constant zero point behind a table of bytes; the scales
are multiplied after the cast.
"""

from __future__ import annotations

import numpy as np

from .graph import Graph, Operator, Value, is_kind, uniform
from .linear import Linear, column_vector, put_product
from .weights import integer_weight

__all__ = ["rewrite"]


def rewrite(graph: Graph) -> int:
    """Returns how many products were found."""
    return sum(_match(graph, operator) for operator in graph.each("MatMulInteger"))


def _match(graph: Graph, operator: Operator) -> bool:
    q, held, zero, weight_zero = (operator.input(i) for i in range(4))
    level = uniform(zero) if zero is not None else 0.0
    cast = graph.only_reader(operator.output)
    if q is None or q.dtype != "uint8" or q.array is not None or held is None or held.array is None or level is None:
        return False
    if cast is None or not is_kind(cast, "Cast") or cast.output.dtype != "float32":
        return False
    if weight_zero is not None and weight_zero.array is None:
        return False
    weight = integer_weight(held.array, weight_zero.array if weight_zero is not None else None, 1)
    if weight is None:
        return False
    last, scale = cast, np.ones(len(weight), np.float32)
    mul = graph.only_reader(cast.output)
    if mul is not None and mul.kind == "Mul":
        vector = column_vector(mul.inputs[1] if mul.inputs[0] is cast.output else mul.inputs[0], len(weight))
        if vector is not None and mul.output.rank == cast.output.rank:
            last, scale = mul, vector
    values: list[Value | None] = [
        graph.constant(f"{operator.name}.weight", weight),
        graph.constant(f"{operator.name}.weight_scale", scale),
    ]
    steps = {"scale": 1.0, "zero": int(level), "low": 0, "high": 255}
    put_product(graph, last, Linear(q, held, 1), "gemm_int8", values, {"input": steps})
    return True
