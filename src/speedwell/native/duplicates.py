"""Compute once what several operators compute alike: an exporter writes the mask out again for each layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from .graph import Graph, Operator, Value

__all__ = ["rewrite"]

SMALL = 1 << 12
"""Bytes: constants up to this are compared by their elements, larger ones are told apart by where they are."""


def rewrite(graph: Graph) -> int:
    """Returns how many operators went."""
    graph.sort()
    seen: dict[Any, Operator] = {}
    constants: dict[Any, Value] = {}
    count = 0
    for operator in graph.each():
        graph.set_inputs(operator, [_shared(value, constants) for value in operator.inputs])
        first = seen.setdefault(_key(operator), operator)
        if first is operator:
            continue
        for old, new in zip(operator.outputs, first.outputs, strict=True):
            if old is not None and new is not None:
                graph.replace(old, new)
        graph.remove(operator)
        count += 1
    return count


def _shared(value: Value | None, constants: dict[Any, Value]) -> Value | None:
    if value is None or value.array is None or value.array.nbytes > SMALL or value.exposed:
        return value
    return constants.setdefault(_frozen(value.array), value)


def _key(operator: Operator) -> Any:
    given = tuple(id(value) for value in operator.inputs)
    made = tuple(value is not None for value in operator.outputs)
    random = id(operator) if operator.kind.startswith("Random") or operator.kind in ("Bernoulli", "Multinomial") else 0
    return operator.kind, given, made, random, _frozen(operator.attributes)


def _frozen(value: Any) -> Any:
    """``value`` as something that can be a key and is equal only for equal values of one type."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, dict):
        return tuple(sorted((key, _frozen(entry)) for key, entry in value.items()))
    if isinstance(value, (list, tuple)):
        return tuple(_frozen(entry) for entry in value)
    return type(value).__name__, value
