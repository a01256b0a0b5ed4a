"""A product times one number per column (LayerScale, a scale left by folding): the numbers go into weight and bias."""

from __future__ import annotations

import numpy as np

from .bias import BIAS, PRODUCTS, RESIDUAL
from .graph import Graph, Operator
from .linear import column_vector

__all__ = ["rewrite"]


def rewrite(graph: Graph) -> int:
    """Returns how many multiplications went."""
    return sum(_absorb(graph, product) for product in graph.each(*PRODUCTS))


def _absorb(graph: Graph, product: Operator) -> bool:
    out, at, kind = product.output, BIAS[product.kind], product.kind
    mul, columns = graph.only_reader(out), out.last
    if mul is None or mul.kind != "Mul" or not isinstance(columns, int) or product.input(RESIDUAL[kind]) is not None:
        return False
    if {"activation", "out"} & set(product.attributes):
        return False
    other = mul.inputs[1] if mul.inputs[0] is out else mul.inputs[0]
    vector, bias = column_vector(other, columns), product.input(at)
    if vector is None or other is None or (other.rank or 0) > (out.rank or 0) or not np.isfinite(vector).all():
        return False
    inputs = list(product.inputs)
    at_scale = 1 if kind == "gemm_float" else 2
    scaled = inputs[at_scale]
    if scaled is None or scaled.array is None or (bias is not None and bias.array is None):
        return False
    along = vector if kind == "gemm_int8" else vector[:, None]
    inputs[at_scale] = graph.constant(f"{product.name}.scaled", scaled.array * along)
    if bias is not None and bias.array is not None:
        inputs[at] = graph.constant(f"{product.name}.bias", bias.array * vector)
    graph.set_inputs(product, inputs)
    graph.replace(mul.output, out)
    graph.remove(mul)
    return True
