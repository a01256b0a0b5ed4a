"""A product followed by the addition of one number per column: the number becomes the product's bias."""

from __future__ import annotations

import numpy as np

from .graph import Graph, Operator
from .linear import column_vector

__all__ = ["BIAS", "PRODUCTS", "RESIDUAL", "rewrite"]

PRODUCTS = ("gemm_int8", "gemm_int4", "gemm_float")
BIAS = {"gemm_int8": 3, "gemm_int4": 3, "gemm_float": 2}
RESIDUAL = {"gemm_int8": 4, "gemm_int4": 4, "gemm_float": 3}
"""Which inputs of a product they are."""


def rewrite(graph: Graph) -> int:
    """Returns how many additions went."""
    count = 0
    for operator in graph.each(*PRODUCTS):
        while _absorb(graph, operator):
            count += 1
    return count


def _absorb(graph: Graph, product: Operator) -> bool:
    out = product.output
    add, columns = graph.only_reader(out), out.last
    if add is None or add.kind != "Add" or not isinstance(columns, int) or product.input(RESIDUAL[product.kind]):
        return False
    if "activation" in product.attributes or "out" in product.attributes:
        return False
    other = add.inputs[1] if add.inputs[0] is out else add.inputs[0]
    vector = column_vector(other, columns)
    if vector is None or other is None or (other.rank or 0) > (out.rank or 0):
        return False
    at = BIAS[product.kind]
    before = product.inputs[at]
    if before is not None and before.array is not None:
        vector = (vector + before.array).astype(np.float32)
    inputs = list(product.inputs)
    inputs[at] = graph.constant(f"{product.name}.bias", vector)
    graph.set_inputs(product, inputs)
    out.shape, out.dtype = add.output.shape, "float32"
    graph.replace(add.output, out)
    graph.remove(add)
    return True
