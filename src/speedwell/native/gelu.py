"""Gelu found again where it is written out.

x / 2 (1 + erf(x / sqrt 2)), or with tanh(sqrt(2 / pi) (x + 0.044715 x^3)) in place of erf.
"""

from __future__ import annotations

import math

from .factors import factors
from .graph import Graph, Operator, Value, is_kind, scalar
from .sizes import same

__all__ = ["rewrite"]

NEAR = 1e-4
"""Relative: exporters write sqrt(2) with 5 to 17 digits."""


def rewrite(graph: Graph) -> int:
    """Returns how many were found."""
    return sum(_match(graph, operator) for operator in graph.each("Mul", "Div"))


def _match(graph: Graph, operator: Operator) -> bool:
    number, tensors = factors(graph, operator.output)
    if len(tensors) != 2 or not _near(number, 0.5):
        return False
    for x, rest in (tensors, reversed(tensors)):
        kind = _one_plus(graph, rest, x)
        if kind and same(x.shape, operator.output.shape):
            made = graph.add("Gelu", [x], {"approximate": kind}, near=operator, like=operator.output)
            graph.replace(operator.output, made.output)
            graph.remove(operator)
            return True
    return False


def _one_plus(graph: Graph, value: Value, x: Value) -> str:
    """Which Gelu ``value`` belongs to where it is 1 + erf(...) or 1 + tanh(...) of ``x``; "" where it is neither."""
    for inner in _added_to(value, 1.0):
        maker = inner.maker
        if maker is None or maker.inputs[0] is None:
            continue
        if maker.kind == "Erf" and _is(factors(graph, maker.inputs[0]), math.sqrt(0.5), [x]):
            return "none"
        if maker.kind == "Tanh" and _is_cubic(graph, maker.inputs[0], x):
            return "tanh"
    return ""


def _is_cubic(graph: Graph, value: Value, x: Value) -> bool:
    """sqrt(2 / pi) (x + 0.044715 x^3), or sqrt(2 / pi) x (1 + 0.044715 x^2)."""
    number, tensors = factors(graph, value)
    if not _near(number, math.sqrt(2 / math.pi)):
        return False
    if len(tensors) == 1 and is_kind(tensors[0].maker, "Add") and tensors[0].maker is not None:
        a, b = tensors[0].maker.inputs
        return any(one is x and other is not None and _is_power(graph, other, x, 3) for one, other in ((a, b), (b, a)))
    if len(tensors) == 2 and x in tensors:
        rest = tensors[1] if tensors[0] is x else tensors[0]
        return any(_is_power(graph, square, x, 2) for square in _added_to(rest, 1.0))
    return False


def _is_power(graph: Graph, value: Value, x: Value, power: int) -> bool:
    """0.044715 times ``x`` to the power."""
    number, tensors = factors(graph, value)
    flat: list[Value | None] = []
    for tensor in tensors:
        maker = tensor.maker
        if maker is not None and maker.kind == "Pow" and (exponent := scalar(maker.input(1))) in (2.0, 3.0):
            flat += [maker.inputs[0]] * int(exponent)
        elif maker is not None and maker.kind == "Mul" and maker.inputs[0] is maker.inputs[1]:
            flat += maker.inputs
        else:
            flat.append(tensor)
    return _near(number, 0.044715) and len(flat) == power and all(tensor is x for tensor in flat)


def _added_to(value: Value, number: float) -> list[Value]:
    """What ``value`` adds ``number`` to."""
    maker = value.maker
    if maker is None or maker.kind != "Add":
        return []
    a, b = maker.inputs
    pairs = ((a, b), (b, a))
    return [
        one for one, other in pairs if one is not None and (found := scalar(other)) is not None and _near(found, number)
    ]


def _is(found: tuple[float, list[Value]], number: float, tensors: list[Value]) -> bool:
    return (
        _near(found[0], number)
        and len(found[1]) == len(tensors)
        and all(a is b for a, b in zip(found[1], tensors, strict=True))
    )


def _near(found: float, number: float) -> bool:
    return math.isclose(found, number, rel_tol=NEAR)
