"""Attention masks as exporters write them, made plain.

Hugging Face's masks gather mask[batch, key] with index tensors, for every query, and join it with comparisons that
always hold (0 <= position). What is always true is left out, and a gather of everything in its order is a reshape.
An attention repeats its mask over heads and queries by itself, so what only the join had repeated stays small.
"""

from __future__ import annotations

import numpy as np

from .contents import integers
from .graph import Graph, Operator, Value, is_kind, scalar
from .movement import RESHAPES, ancestors

__all__ = ["rewrite"]

REPEATS = (*RESHAPES, "Expand", "Transpose")


def rewrite(graph: Graph) -> int:
    """Returns how many operators changed."""
    count = sum(_gather(graph, operator) for operator in graph.each("GatherND"))
    return count + sum(_plain(graph, operator) for operator in graph.each("attention"))


def _gather(graph: Graph, operator: Operator) -> bool:
    """data[range, range] with each range along an axis of its own -> Unsqueeze."""
    data, indices = operator.inputs
    if data is None or data.shape is None or indices is None or operator.attributes.get("batch_dims", 0):
        return False
    parts, out = _last_axis(indices), operator.output
    if parts is None or len(parts) != len(data.shape) or out.shape is None or len(out.shape) > 8:
        return False
    axes = [_range_axis(part, size, len(out.shape)) for part, size in zip(parts, data.shape, strict=True)]
    known = [axis for axis in axes if axis is not None]
    if len(known) != len(axes) or known != sorted(set(known)):
        return False
    new = [axis for axis in range(len(out.shape)) if axis not in known]
    if any(out.shape[axis] != 1 for axis in new):
        return False
    held = graph.constant(f"{operator.name}.axes", np.asarray(new, np.int64))
    made = graph.add("Unsqueeze", [data, held], near=operator, like=out).output
    graph.replace(out, made)
    graph.remove(operator)
    return True


def _last_axis(value: Value) -> list[Value] | None:
    """The tensors that are joined along a new last axis."""
    join = value.maker
    if join is None or join.kind != "Concat" or value.rank is None:
        return None
    if join.attributes["axis"] not in (-1, value.rank - 1):
        return None
    parts: list[Value] = []
    for part in join.inputs:
        maker = part.maker if part is not None else None
        if (
            not is_kind(maker, "Unsqueeze")
            or maker is None
            or maker.inputs[0] is None
            or part is None
            or part.last != 1
        ):
            return None
        if integers(maker.input(1)) not in ((-1,), (value.rank - 1,)):
            return None
        parts.append(maker.inputs[0])
    return parts


def _range_axis(value: Value, size: object, rank: int) -> int | None:
    """The axis along which ``value`` counts 0, 1, ... ``size`` - 1, being repeated along all others."""
    maker = value.maker
    if is_kind(maker, "Expand") and maker is not None and maker.inputs[0] is not None:
        value = maker.inputs[0]
    if value.shape is None or not _counts(value):
        return None
    axes = [axis - len(value.shape) + rank for axis, n in enumerate(value.shape) if n != 1]
    return axes[0] if len(axes) == 1 and value.shape[axes[0] - rank] == size else None


def _counts(value: Value) -> bool:
    """True for 0, 1, 2, ... in some shape."""
    source = next(reversed([value, *ancestors(value)]))
    maker = source.maker
    return (
        is_kind(maker, "Range") and maker is not None and scalar(maker.inputs[0]) == 0 and scalar(maker.inputs[2]) == 1
    )


def _plain(graph: Graph, attention: Operator) -> bool:
    """Take what is always true out of the condition of a mask Where(condition, 0, -inf); a mask of zeros is none."""
    mask = attention.input(3)
    where = mask.maker if mask is not None else None
    if mask is not None and mask.array is not None and not mask.array.any():
        graph.set_inputs(attention, [*attention.inputs[:3], None])
        return True
    if where is None or where.kind != "Where" or any(scalar(value) is None for value in where.inputs[1:]):
        return False
    condition, shown, hidden = where.inputs
    if condition is None:
        return False
    if _holds(condition):
        if scalar(shown) != 0.0:
            return False
        graph.set_inputs(attention, [*attention.inputs[:3], None])
        return True
    left = condition
    while left.maker is not None and left.maker.kind == "And":
        a, b = left.maker.inputs
        rest = b if a is not None and _holds(a) else a if b is not None and _holds(b) else None
        if rest is None:
            break
        left = rest
    if left is condition:
        return False
    made = graph.add("Where", [left, shown, hidden], near=where).output
    made.dtype, made.shape = "float32", left.shape
    graph.set_inputs(attention, [*attention.inputs[:3], made])
    return True


def _holds(value: Value) -> bool:
    """True where every element of ``value`` is certain to be true."""
    if value.array is not None:
        return value.array.dtype == np.bool_ and bool(value.array.all())
    maker = value.maker
    if maker is None:
        return False
    if maker.kind in REPEATS:
        return maker.inputs[0] is not None and _holds(maker.inputs[0])
    if maker.kind in ("And", "Or"):
        both = [operand is not None and _holds(operand) for operand in maker.inputs]
        return all(both) if maker.kind == "And" else any(both)
    if maker.kind == "GreaterOrEqual":
        a, b = maker.inputs
        bound = scalar(b)
        return a is not None and bound is not None and bound <= 0 and _counts(a)
    return False
