"""softmax(q k^T scale + mask) v over heads, however it is written out -> ``attention``."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .graph import Graph, Operator, Value, scalar
from .heads import KEYS, QUERIES, heads_of, unpermuted, unscaled
from .shapes import infer
from .sizes import Shape, nameless, product

__all__ = ["FORBIDS", "LARGEST_HEAD", "rewrite"]

LARGEST_HEAD = 256
"""Elements of a head that the executor's kernel takes."""
FORBIDS = -1e30
"""A fill from here down leaves nothing of a score, added or put in its place."""


@dataclass(frozen=True, eq=False)
class _Scores:
    """q k^T times ``scale``, plus ``masks``. A pair holds a condition and whether the scores stand where it is true."""

    product: Operator
    scale: float = 1.0
    masks: list[Value] = field(default_factory=list)
    hidden: list[tuple[Value, bool, float]] = field(default_factory=list)


def rewrite(graph: Graph) -> int:
    """Returns how many attentions were found."""
    return sum(_match(graph, operator) for operator in graph.each("MatMul"))


def _match(graph: Graph, operator: Operator) -> bool:
    weights, right = operator.inputs
    if weights is None or right is None or weights.dtype != "float32":
        return False
    softmax, guarded = _softmax(graph, weights)
    if softmax is None or softmax.inputs[0] is None:
        return False
    scores = _scores(graph, softmax.inputs[0])
    if scores is None:
        return False
    left, middle = scores.product.inputs
    assert left is not None
    assert middle is not None
    q, k, v = unpermuted(left, QUERIES), unpermuted(middle, KEYS), unpermuted(right, QUERIES)
    if q is None or k is None or v is None or q[3] > LARGEST_HEAD:  # type: ignore[operator]
        return False
    if not (q[0] == k[0] == v[0] and k[1] == v[1] and q[2:] == k[2:] == v[2:]):
        return False
    shape = (q[0], q[2], q[1], k[1])
    conditions = [condition for condition, _, _ in scores.hidden]
    if not all(_fits(mask, shape) for mask in (*scores.masks, *conditions)):
        return False
    _put(graph, operator, scores, (left, middle, right), q, guarded)
    return True


def _put(
    graph: Graph, operator: Operator, scores: _Scores, operands: tuple[Value, Value, Value], q: Shape, guarded: bool
) -> None:
    sources = [
        heads_of(graph, operand, wanted, operator)
        for operand, wanted in zip(operands, (QUERIES, KEYS, QUERIES), strict=True)
    ]
    attributes = {
        "heads": q[2], "head_dim": q[3], "scale": scores.scale * sources[0].scale * sources[1].scale,
        "q_offset": sources[0].offset, "k_offset": sources[1].offset, "v_offset": sources[2].offset,
        "nan_to_zero": guarded,
    }  # fmt: skip
    made = graph.add(
        "attention", [*(s.value for s in sources), _mask(graph, operator, scores)], attributes, near=operator
    )
    y = made.output
    y.dtype, y.shape = "float32", (q[0], q[1], product(q[2:]))
    if sources[2].scale != 1.0:  # the values' factor goes through the sum
        factor = graph.constant(f"{operator.name}.factor", np.asarray(sources[2].scale, np.float32))
        y = graph.add("Mul", [y, factor], near=operator, like=y).output
    # back to what the product gave, so that any reader is served; movement.py removes it before a usual one
    target = graph.constant(f"{operator.name}.heads", np.asarray([0, 0, *q[2:]], np.int64))
    split = graph.add("Reshape", [y, target], near=operator).output
    split.dtype, split.shape = "float32", q
    turned = graph.add("Transpose", [split], {"perm": [0, 2, 1, 3]}, near=operator, like=operator.output).output
    turned.shape = (q[0], q[2], q[1], q[3])
    graph.replace(operator.output, turned)
    graph.remove(operator)


def _softmax(graph: Graph, weights: Value) -> tuple[Operator | None, bool]:
    """The Softmax over the last axis that ``weights`` is, and whether its NaN are made zeros."""
    maker, guarded = weights.maker, False
    if graph.only_reader(weights) is None or maker is None:
        return None, False
    if maker.kind == "Where":
        test, zero, inner = maker.inputs
        isnan = test.maker if test is not None else None
        if isnan is None or isnan.kind != "IsNaN" or isnan.inputs[0] is not inner or scalar(zero) != 0.0:
            return None, False
        if inner is None or inner.exposed or set(inner.readers) != {maker, isnan} or isnan.output.exposed:
            return None, False
        maker, guarded = inner.maker, True
    rank = weights.rank
    if maker is None or maker.kind != "Softmax" or rank != 4 or maker.attributes.get("axis", -1) not in (-1, rank - 1):
        return None, False
    return maker, guarded


def _scores(graph: Graph, value: Value) -> _Scores | None:
    """What ``value`` is made of; None where it is made otherwise or somebody else reads a part of it."""
    maker = value.maker
    if maker is None or graph.only_reader(value) is None:
        return None
    if maker.kind == "MatMul":
        return _Scores(maker) if all(v is not None and v.array is None for v in maker.inputs) else None
    scaled = unscaled(value)
    if scaled is not None:
        inner = _scores(graph, scaled[0])
        # a factor behind a mask would scale the mask too
        return (
            _Scores(inner.product, inner.scale * scaled[1]) if inner and not inner.masks and not inner.hidden else None
        )
    if maker.kind == "Add":
        a, b = maker.inputs
        for one, mask in ((a, b), (b, a)):
            inner = _scores(graph, one) if one is not None else None
            if inner is not None and mask is not None:
                return _Scores(inner.product, inner.scale, [*inner.masks, mask], inner.hidden)
    if maker.kind == "Where":
        condition, a, b = maker.inputs
        for one, fill, shown in ((a, b, True), (b, a, False)):
            number = scalar(fill)
            inner = _scores(graph, one) if one is not None and number is not None and number <= FORBIDS else None
            if inner is not None and condition is not None and number is not None:
                return _Scores(inner.product, inner.scale, inner.masks, [*inner.hidden, (condition, shown, number)])
    return None


def _fits(mask: Value, shape: Shape) -> bool:
    """True where ``mask`` broadcasts to the scores' ``shape`` without making them larger. Sizes without a name, which
    exporters leave behind an Expand, are taken to fit: where one does not, the executor refuses to run.
    """
    if mask.shape is None or len(mask.shape) > len(shape):
        return False
    return all(
        size in (1, whole) or nameless(size) or nameless(whole)
        for size, whole in zip(mask.shape[::-1], shape[::-1], strict=False)
    )


def _mask(graph: Graph, operator: Operator, scores: _Scores) -> Value | None:
    """The sum of all masks; None where there is none."""
    parts = list(scores.masks)
    for condition, shown, number in scores.hidden:
        zero = graph.constant(f"{operator.name}.shown", np.zeros((), np.float32))
        fill = graph.constant(f"{operator.name}.hidden", np.asarray(number, np.float32))
        ends = [zero, fill] if shown else [fill, zero]
        made = graph.add("Where", [condition, *ends], near=operator)
        made.output.dtype, made.output.shape = "float32", condition.shape
        parts.append(made.output)
    while len(parts) > 1:
        made = graph.add("Add", parts[:2], near=operator)
        made.output.dtype = "float32"
        infer(made)
        parts[:2] = [made.output]
    return parts[0] if parts else None
