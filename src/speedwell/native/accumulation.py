"""Give every integer product its runs: how far its sums may go in 16 bits (runs.py finds them)."""

from __future__ import annotations

from .graph import Graph, Operator
from .runs import plan_runs

__all__ = ["rewrite"]


def rewrite(graph: Graph) -> int:
    """Returns how many products have runs now; weights of 8 bits allow none."""
    return sum(_plan(graph, operator) for operator in graph.each("gemm_int8"))


def _plan(graph: Graph, operator: Operator) -> bool:
    weight, steps = operator.inputs[1], operator.attributes["input"]
    if weight is None or weight.array is None or len(operator.inputs) > 5:
        return False
    runs = plan_runs(weight.array, steps.get("rows", steps.get("high", 255)))
    if runs is None:
        return False
    found = [
        graph.constant(f"{operator.name}.{what}", rows)
        for what, rows in (("order", runs.order), ("runs", runs.lengths))
    ]
    graph.set_inputs(operator, [*operator.inputs, *[None] * (5 - len(operator.inputs)), *found])
    return True
