"""A Gemm that no product took: alpha A' B' + beta C, in its parts."""

from __future__ import annotations

import numpy as np

from .graph import Graph, Operator, Value
from .shapes import infer

__all__ = ["rewrite"]


def rewrite(graph: Graph) -> int:
    """Returns how many were taken apart."""
    return sum(_take_apart(graph, operator) for operator in graph.each("Gemm"))


def _take_apart(graph: Graph, operator: Operator) -> bool:
    """Gemm = alpha A' B' + beta C, with A' and B' transposed where it says so."""
    read, (a, b) = operator.attributes.get, operator.inputs[:2]
    sides: list[Value | None] = []
    for value, flag in ((a, "transA"), (b, "transB")):
        if read(flag, 0):
            turned = graph.add("Transpose", [value], {"perm": [1, 0]}, near=operator)
            turned.output.dtype = value.dtype if value is not None else ""
            infer(turned)
            sides.append(turned.output)
        else:
            sides.append(value)
    old, addend = operator.output, operator.input(2)
    out = graph.add("MatMul", sides, near=operator, like=old).output
    out = _scaled(graph, operator, out, read("alpha", 1.0))
    if addend is not None:
        addend = _scaled(graph, operator, addend, read("beta", 1.0))
        out = graph.add("Add", [out, addend], near=operator, like=old).output
    graph.replace(old, out)
    graph.remove(operator)
    return True


def _scaled(graph: Graph, operator: Operator, value: Value, by: float) -> Value:
    if by == 1.0:
        return value
    factor = graph.constant(f"{operator.name}.factor", np.asarray(by, np.float32))
    return graph.add("Mul", [value, factor], near=operator, like=value).output
