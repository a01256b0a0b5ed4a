"""Pooling over everything but batch and channels is a reduction: how vision transformers end."""

from __future__ import annotations

import numpy as np

from .graph import Graph, Operator

__all__ = ["rewrite"]

REDUCTIONS = {"GlobalAveragePool": "ReduceMean", "GlobalMaxPool": "ReduceMax"}


def rewrite(graph: Graph) -> int:
    """Returns how many were rewritten."""
    return sum(_reduce(graph, operator) for operator in graph.each(*REDUCTIONS))


def _reduce(graph: Graph, operator: Operator) -> bool:
    x, old = operator.input(0), operator.output
    if x is None or x.rank is None or x.rank < 3:  # without axes a reduction would take them all
        return False
    axes = graph.constant(f"{operator.name}.axes", np.arange(2, x.rank, dtype=np.int64))
    made = graph.add(REDUCTIONS[operator.kind], [x, axes], {"keepdims": 1}, near=operator, like=old)
    graph.replace(old, made.output)
    graph.remove(operator)
    return True
