"""A product of rows that were flattened for it: the reshape goes behind the product, where it meets its undoing.

[B, S, K] -> [B S, K] -> product -> [B S, N] -> [B, S, N] is what Gemm, which knows two dimensions, makes of a layer.
With the reshape gone, the residual and the attention beside it have the product's shape.
"""

from __future__ import annotations

import numpy as np

from .bias import PRODUCTS, RESIDUAL
from .graph import Graph, Operator
from .movement import ancestors
from .shapes import infer

__all__ = ["rewrite"]


def rewrite(graph: Graph) -> int:
    """Returns how many reshapes went behind their products."""
    return sum(_swap(graph, product) for product in graph.each(*PRODUCTS))


def _swap(graph: Graph, product: Operator) -> bool:
    rows, old = product.inputs[0], product.output
    if rows is None or rows.rank != 2 or not isinstance(old.last, int):
        return False
    source = next((v for v in ancestors(rows) if (v.rank or 0) > 2 and v.last == rows.last), None)
    if source is None:
        return False
    if product.input(RESIDUAL[product.kind]) is not None:
        return False
    whole = graph.add(product.kind, [source, *product.inputs[1:]], product.attributes, near=product, name=product.name)
    whole.output.dtype = old.dtype
    infer(whole)
    target = graph.constant(f"{product.name}.rows", np.asarray([-1, old.last], np.int64))
    flat = graph.add("Reshape", [whole.output, target], near=product, name=f"{product.name}.flat", like=old)
    graph.replace(old, flat.output)
    graph.remove(product)
    return True
