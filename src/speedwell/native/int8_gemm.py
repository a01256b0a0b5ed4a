"""The product of a quantized activation and a quantized weight, both written as DequantizeLinear -> ``gemm_int8``.

(s_x (q_x - z)) (s_W q_W) = s_x s_W (q_x - z) q_W: one scale per column after a product of integers.
"""

from __future__ import annotations

import numpy as np

from .graph import Graph, Operator, Value
from .linear import Linear, linear_of, put_product
from .quantize import steps_before
from .weights import quantized_weight

__all__ = ["rewrite"]


def rewrite(graph: Graph) -> int:
    """Returns how many products were found."""
    return sum(_match(graph, operator) for operator in graph.each("MatMul", "Gemm"))


def _match(graph: Graph, operator: Operator) -> bool:
    linear = linear_of(operator)
    maker = linear.x.maker if linear is not None else None
    if linear is None or maker is None or maker.kind != "dequantize" or maker.inputs[0] is None:
        return False
    weight = quantized_weight(linear.weight, linear.out_axis)
    if weight is None:
        return False
    integers, scale = weight
    held: list[Value | None] = [
        graph.constant(f"{operator.name}.weight", integers),
        graph.constant(f"{operator.name}.weight_scale", (scale * np.float32(linear.alpha)).astype(np.float32)),
    ]
    quantized = Linear(maker.inputs[0], linear.weight, linear.out_axis, 1.0, linear.beta, linear.addend)
    put_product(graph, operator, quantized, "gemm_int8", held, {"input": steps_before(maker)})
    return True
