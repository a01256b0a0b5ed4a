"""Whoever makes a tensor that is read in bytes makes the bytes.

A product or an attention does so where every reader takes the same bytes; a ``layer_norm`` can give floats and bytes.
"""

from __future__ import annotations

from .bias import PRODUCTS
from .graph import Graph, Operator
from .quantize import steps_of

__all__ = ["rewrite"]


def rewrite(graph: Graph) -> int:
    """Returns how many ``quantize`` went."""
    count = sum(_whole(graph, operator) for operator in graph.each(*PRODUCTS, "attention"))
    return count + sum(_beside(graph, operator) for operator in graph.each("layer_norm"))


def _whole(graph: Graph, operator: Operator) -> int:
    y = operator.output
    readers = list(y.readers)
    if y.exposed or not readers or any(r.kind != "quantize" for r in readers) or "out" in operator.attributes:
        return 0
    steps = steps_of(readers[0])
    if any(steps_of(reader) != steps for reader in readers):
        return 0
    operator.attributes["out"] = steps
    y.dtype = "uint8"
    for reader in readers:
        graph.replace(reader.output, y)
        graph.remove(reader)
    return len(readers)


def _beside(graph: Graph, operator: Operator) -> int:
    y = operator.output
    first = next((r for r in y.readers if r.kind == "quantize"), None)
    if first is None or "out" in operator.attributes:
        return 0
    steps = steps_of(first)
    operator.attributes["out"] = steps
    made = graph.value(f"{operator.name}.bytes", "uint8", y.shape)
    made.maker = operator
    operator.outputs[1] = made
    readers = [r for r in y.readers if r.kind == "quantize" and steps_of(r) == steps]
    for reader in readers:
        graph.replace(reader.output, made)
        graph.remove(reader)
    if not y.readers and not y.exposed:
        operator.outputs[0] = None
        y.maker = None
    return len(readers)
