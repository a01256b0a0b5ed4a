"""ConstantOfShape is its number expanded: a constant may be infinite, which an attribute in JSON may not."""

from __future__ import annotations

import numpy as np

from .graph import Graph, Operator

__all__ = ["rewrite"]


def rewrite(graph: Graph) -> int:
    """Returns how many were rewritten."""
    return sum(_expand(graph, operator) for operator in graph.each("ConstantOfShape"))


def _expand(graph: Graph, operator: Operator) -> bool:
    number = operator.attributes.get("value", np.zeros(1, np.float32)).reshape(())
    old = operator.output
    made = graph.add(
        "Expand", [graph.constant(f"{operator.name}.value", number), operator.inputs[0]], near=operator, like=old
    )
    graph.replace(old, made.output)
    graph.remove(operator)
    return True
