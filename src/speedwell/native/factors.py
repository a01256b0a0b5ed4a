"""A product written out as Mul and Div, taken apart: a number times some tensors, in any order."""

from __future__ import annotations

from .graph import Graph, Value, is_kind, scalar

__all__ = ["factors"]


def factors(graph: Graph, value: Value, shared: bool = False) -> tuple[float, list[Value]]:
    """``value`` = number * product of the tensors. Looks through Mul and Div that nobody else reads, or, where
    ``shared``, through any: for a caller who only wants to know what the factors are.
    """
    operator = value.maker
    if operator is None or not is_kind(operator, "Mul", "Div"):
        return 1.0, [value]
    a, b = operator.inputs
    assert a is not None
    assert b is not None
    number, tensors = _side(graph, a, shared)
    if operator.kind == "Mul":
        other, more = _side(graph, b, shared)
        return number * other, tensors + more
    divisor = scalar(b)
    return (number / divisor, tensors) if divisor else (1.0, [value])


def _side(graph: Graph, value: Value, shared: bool) -> tuple[float, list[Value]]:
    number = scalar(value)
    if number is not None:
        return number, []
    through = shared or graph.only_reader(value) is not None
    return factors(graph, value, shared) if through else (1.0, [value])
