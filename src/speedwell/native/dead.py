"""Remove what no output of the network needs."""

from __future__ import annotations

from .graph import Graph

__all__ = ["rewrite"]


def rewrite(graph: Graph) -> int:
    """Returns how many operators went."""
    graph.sort()
    count = 0
    for operator in reversed(list(graph.operators)):
        if not any(value is not None and (value.readers or value.exposed) for value in operator.outputs):
            graph.remove(operator)
            count += 1
    return count
