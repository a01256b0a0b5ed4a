"""From the graph to the plan: values get their numbers, and what no plan can say is named."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from ..core.errors import UnsupportedError
from . import plan
from .graph import Graph, Operator, Value
from .reading import DTYPES

__all__ = ["numbered", "require_supported"]


def require_supported(graph: Graph, kinds: Collection[str] | None) -> None:
    """Raises ``UnsupportedError`` with every operator that is of another kind than ``kinds`` (None: any) or type."""
    found: set[str] = set()
    for operator in graph.operators:
        if kinds is not None and operator.kind not in kinds:
            found.add(operator.kind)
            continue
        operands = [*operator.inputs, *operator.outputs]
        types = {value.dtype for value in operands if value is not None and value.dtype} - DTYPES
        found |= {f"{operator.kind} ({dtype})" for dtype in types}
    for value in graph.inputs:
        if value.dtype not in DTYPES or value.shape is None:
            found.add(f"input {value.name} ({value.dtype if value.dtype not in DTYPES else 'of unknown rank'})")
    if found:
        raise UnsupportedError(f"unsupported: {', '.join(sorted(found))}")


def numbered(graph: Graph) -> tuple[plan.Plan, dict[str, np.ndarray]]:
    """The plan and its tensors. The graph must be sorted and supported."""
    numbers: dict[Value, int] = {}

    def number(value: Value | None) -> int:
        return -1 if value is None else numbers.setdefault(value, len(numbers))

    inputs = tuple(plan.Input(v.name, number(v), v.dtype, tuple(_free(n) for n in v.shape or ())) for v in graph.inputs)
    held = dict.fromkeys(v for o in graph.operators for v in o.inputs if v is not None and v.array is not None)
    held |= dict.fromkeys(value for _, value in graph.outputs if value.array is not None)
    constants = tuple(plan.Constant(number(value), value.name) for value in held)
    operators = tuple(
        plan.Operator(
            o.kind, o.name, _trimmed([number(v) for v in o.inputs]), tuple(number(_read(v)) for v in o.outputs),
            _attributes(o),
        )
        for o in graph.operators
    )  # fmt: skip
    outputs = tuple(plan.Output(name, number(value)) for name, value in graph.outputs)
    tensors = {value.name: value.array for value in held if value.array is not None}
    return plan.Plan(len(numbers), inputs, outputs, constants, operators), tensors


def _read(value: Value | None) -> Value | None:
    """``value`` where somebody reads it: an output that nobody does is left out."""
    return value if value is not None and (value.readers or value.exposed) else None


def _free(size: object) -> int | str:
    return size if isinstance(size, int) else str(size)


def _trimmed(values: list[int]) -> tuple[int, ...]:
    """Without the ones left out at the end."""
    while values and values[-1] == -1:
        values.pop()
    return tuple(values)


def _attributes(operator: Operator) -> dict[str, Any]:
    """Numbers, strings and lists of them."""
    arrays = sorted(name for name, value in operator.attributes.items() if isinstance(value, np.ndarray))
    if arrays:
        raise UnsupportedError(f"unsupported: {operator.kind} with the tensor attribute {', '.join(arrays)}")
    return dict(operator.attributes)
