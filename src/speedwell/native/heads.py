"""Where an attention's queries, keys or values come from: columns of a tensor [B, S, W], in front of all the reshaping.

What an exporter writes between a projection and the product of heads is undone step by step: a factor, transposes, a
detour over three dimensions, one of three stacked along a dimension of their own, a piece of a wider tensor. A step is
undone only where the shapes prove it. What cannot be undone is computed: a Transpose to [B, S, H, D] is always right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .contents import integers
from .graph import Graph, Operator, Value, is_kind, scalar
from .movement import RESHAPES, ancestors
from .shapes import infer
from .sizes import Shape, product, same

__all__ = ["KEYS", "QUERIES", "Heads", "Perm", "heads_of", "unpermuted", "unscaled"]

Perm = tuple[int, ...]
QUERIES: Perm = (0, 2, 1, 3)
"""[B, S, H, D] as the left operand of q k^T wants it, and p v its right one."""
KEYS: Perm = (0, 2, 3, 1)
"""The same as the right operand of q k^T wants it."""


@dataclass(frozen=True, eq=False)
class Heads:
    """``value`` [B, S, W], read at columns ``offset + head * dim + i`` and meant times ``scale``."""

    value: Value
    offset: int
    scale: float


def unpermuted(operand: Value, wanted: Perm) -> Shape | None:
    """[B, S, H, D] of an operand that is that permuted by ``wanted``; None where H or D is not known."""
    if operand.shape is None or len(operand.shape) != 4:
        return None
    sizes = dict(zip(wanted, operand.shape, strict=True))
    return tuple(sizes[axis] for axis in range(4)) if isinstance(sizes[2], int) and isinstance(sizes[3], int) else None


def heads_of(graph: Graph, operand: Value, wanted: Perm, near: Operator) -> Heads:
    """The source of ``operand``, for which ``unpermuted`` must know the heads. New operators stand at ``near``."""
    shape = unpermuted(operand, wanted)
    assert shape is not None
    value, perm, scale = _undone(operand)
    stacked = _stacked(value, perm)
    if stacked is not None and stacked[2] == wanted:
        source, index, _ = stacked
        assert source.shape is not None
        columns = product(source.shape[2:])
        assert isinstance(columns, int)
        flat = _flat(graph, source, (*shape[:2], columns), near)
        return _widened(flat, index * int(columns // int(source.shape[2])), scale)  # type: ignore[arg-type]
    if perm != wanted:
        value = _laid_out(graph, value, perm, wanted, near)
    return _widened(_flat(graph, value, (*shape[:2], product(shape[2:])), near), 0, scale)


def unscaled(value: Value) -> tuple[Value, float] | None:
    """What ``value`` is times a constant number, and the number."""
    maker = value.maker
    if maker is None or not is_kind(maker, "Mul", "Div"):
        return None
    a, b = maker.inputs
    for tensor, factor in ((a, b), (b, a)) if maker.kind == "Mul" else ((a, b),):
        number = scalar(factor)
        if number and tensor is not None and same(tensor.shape, value.shape):
            return tensor, number if maker.kind == "Mul" else 1.0 / number
    return None


def _undone(value: Value) -> tuple[Value, Perm, float]:
    """``value`` [.., .., .., ..] = scale * source, axis i of it being axis perm[i] of the source."""
    perm: Perm = (0, 1, 2, 3)
    scale = 1.0
    while True:
        factor, turned = unscaled(value), _turned(value)
        if factor is not None:
            value, scale = factor[0], scale * factor[1]
        elif turned is not None:
            value, perm = turned[0], tuple(turned[1][axis] for axis in perm)
        else:
            return value, perm, scale


def _turned(value: Value) -> tuple[Value, Perm] | None:
    """The source of a transpose and its permutation, be it written over three dimensions."""
    maker = value.maker
    if maker is None or not maker.inputs or maker.inputs[0] is None:
        return None
    if maker.kind == "Transpose" and "perm" in maker.attributes:
        return maker.inputs[0], tuple(maker.attributes["perm"])
    middle = maker.inputs[0].maker if is_kind(maker, *RESHAPES) else None
    if middle is None or middle.kind != "Transpose" or middle.attributes.get("perm") != [0, 2, 1]:
        return None
    flat = middle.inputs[0]
    if flat is None or flat.shape is None or value.shape is None or len(flat.shape) != 3 or len(value.shape) != 4:
        return None
    for source in ancestors(flat):
        if source.rank == 4 and source.shape is not None:
            batch, heads, length, dim = source.shape
            if flat.shape[1:] == (length, dim) and value.shape == (batch, heads, dim, length):
                return source, (0, 1, 3, 2)
    return None


def _stacked(value: Value, perm: Perm) -> tuple[Value, int, Perm] | None:
    """[B, S, n, H, D], which of the n ``value`` is, and the permutation of the rest; None where it is none of such."""
    taken = _taken(value)
    if taken is None:
        return None
    source, axis, index = taken
    rest = [i for i in range(5) if i != axis]
    maker = source.maker
    if is_kind(maker, "Transpose") and maker is not None and "perm" in maker.attributes and maker.inputs[0] is not None:
        order = maker.attributes["perm"]
        source, axis, rest = maker.inputs[0], order[axis], [order[i] for i in rest]
    if axis != 2 or source.shape is None or any(not isinstance(size, int) for size in source.shape[2:]):
        return None
    inner = [i - (i > axis) for i in rest]
    return source, index, tuple(inner[i] for i in perm)


def _taken(value: Value) -> tuple[Value, int, int] | None:
    """The 5-D tensor, the axis and the index that ``value`` is taken at."""
    maker = value.maker
    if maker is None or not maker.inputs or maker.inputs[0] is None:
        return None
    if maker.kind == "Gather":
        source, index = maker.inputs[0], integers(maker.input(1))
        indices = maker.input(1)
        if source.rank != 5 or index is None or indices is None or indices.rank != 0:
            return None
        axis = maker.attributes.get("axis", 0) % 5
        size = source.shape[axis] if source.shape is not None else None
        return (source, axis, index[0] % size) if isinstance(size, int) and size else None
    if maker.kind != "Squeeze" or maker.inputs[0].rank != 5:
        return None
    axes = integers(maker.input(1))
    piece = _piece(maker.inputs[0])
    if axes is None or len(axes) != 1 or piece is None or piece[1] != axes[0] % 5:
        return None
    return piece


def _piece(value: Value) -> tuple[Value, int, int] | None:
    """The tensor, the axis and the first index of a piece that Split or Slice cut out along one axis."""
    maker = value.maker
    source = maker.input(0) if maker is not None else None
    if maker is None or source is None or not source.shape:
        return None
    rank = len(source.shape)
    if maker.kind == "Split":
        axis, start = maker.attributes.get("axis", 0) % rank, 0
        for part in maker.outputs:
            if part is value:
                return source, axis, start
            size = part.shape[axis] if part is not None and part.shape is not None else None
            if not isinstance(size, int):
                return None
            start += size
    if maker.kind != "Slice":
        return None
    starts, ends, axes = (integers(maker.input(i)) for i in (1, 2, 3))
    steps = integers(maker.input(4)) if maker.input(4) is not None else (1,)
    if (
        starts is None
        or ends is None
        or axes is None
        or steps != (1,)
        or not len(starts) == len(ends) == len(axes) == 1
    ):
        return None
    size = source.shape[axes[0] % rank]
    if starts[0] < 0 and not isinstance(size, int):
        return None
    start = starts[0] + (int(size) if starts[0] < 0 else 0)  # type: ignore[arg-type]
    return source, axes[0] % rank, start


def _laid_out(graph: Graph, value: Value, perm: Perm, wanted: Perm, near: Operator) -> Value:
    """[B, S, H, D], computed."""
    order = [0, 0, 0, 0]
    for axis in range(4):
        order[wanted[axis]] = perm[axis]
    made = graph.add("Transpose", [value], {"perm": order}, near=near)
    made.output.dtype = value.dtype
    infer(made)
    return made.output


def _flat(graph: Graph, value: Value, shape: Shape, near: Operator) -> Value:
    """``value`` as [B, S, W]: what it was reshaped from where that has this shape, else a reshape (which is free)."""
    for source in ancestors(value):
        if same(source.shape, shape):
            return source
    target = graph.constant(f"{near.name}.flat", np.asarray([0, 0, shape[2]], np.int64))
    made = graph.add("Reshape", [value, target], near=near)
    made.output.dtype, made.output.shape = value.dtype, shape
    return made.output


def _widened(value: Value, offset: int, scale: float) -> Heads:
    """The wider tensor that ``value`` is some columns of, past factors."""
    while True:
        factor, piece = unscaled(value), _piece(value)
        if factor is not None:
            value, scale = factor[0], scale * factor[1]
        elif piece is not None and piece[0].rank == 3 and piece[1] == 2:
            value, offset = piece[0], offset + piece[2]
        else:
            return Heads(value, offset, scale)
