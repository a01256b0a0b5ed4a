"""Shapes with symbols: what ONNX's inference leaves open because a size is a product or a part of another.

An exported attention reshapes [batch, sequence, 384] to [batch, sequence, -1, 32], reads the shape of that, cuts it
up, and reshapes again. Whether two such shapes are one decides which rewrites hold, so sizes are followed through it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

from .contents import CONTENTS, FAR, integers
from .graph import Graph, Operator, Value
from .sizes import Shape, Size, broadcast, difference, product, quotient, symbol, total

__all__ = ["infer", "infer_all"]

Open = Sequence[Size | None]
"""A shape in which None stands for a size that the rule cannot tell."""
_fresh = itertools.count()


def infer_all(graph: Graph) -> int:
    """Fill in shapes and contents in the operators' order, leaving what no rule can tell. Returns 0: no rewrite."""
    graph.sort()
    for operator in graph.operators:
        infer(operator)
    return 0


def infer(operator: Operator) -> None:
    """Fill in shape and content of what ``operator`` makes."""
    rule = RULES.get(operator.kind)
    found = _split(operator) if operator.kind == "Split" else [rule(operator) if rule is not None else None]
    for value, sizes in zip(operator.outputs, found, strict=False):
        if value is not None and sizes is not None:
            before: Open = value.shape if value.shape is not None and len(value.shape) == len(sizes) else ()
            value.shape = tuple(_better(new, old) for new, old in itertools.zip_longest(sizes, before))
    content = CONTENTS.get(operator.kind)
    if content is not None and operator.outputs[0] is not None:
        operator.output.content = content(operator)


def _better(new: Size | None, old: Size | None) -> Size:
    if isinstance(new, int) or (new is not None and not isinstance(old, int)):
        return new
    return old if old is not None else symbol(f"?{next(_fresh)}")


def _shapes(operator: Operator) -> list[Shape] | None:
    shapes = [value.shape for value in operator.inputs if value is not None]
    return None if any(s is None for s in shapes) else [s for s in shapes if s is not None]


def _same(operator: Operator) -> Shape | None:
    first = operator.input(0)
    return first.shape if first is not None else None


def _broadcast(operator: Operator) -> Open | None:
    shapes = _shapes(operator)
    return broadcast(shapes) if shapes else None


def _matmul(operator: Operator) -> Open | None:
    shapes = _shapes(operator)
    if shapes is None or any(len(s) < 2 for s in shapes):
        return None
    a, b = shapes[:2]
    return [*broadcast([a[:-2], b[:-2]]), a[-2], b[-1]]


def _two_sides(operator: Operator) -> Open | None:
    a, b, read = operator.input(0), operator.input(1), operator.attributes.get
    if a is None or b is None or a.shape is None or b.shape is None or len(a.shape) != 2 or len(b.shape) != 2:
        return None
    return [a.shape[1 if read("transA", 0) else 0], b.shape[0 if read("transB", 0) else 1]]


def _gemm(operator: Operator) -> Open | None:
    a, weight = operator.input(0), operator.input(1)
    return None if a is None or weight is None or not a.shape or not weight.shape else [*a.shape[:-1], weight.shape[0]]


def _transpose(operator: Operator) -> Open | None:
    shape = _same(operator)
    if shape is None:
        return None
    perm = operator.attributes.get("perm", range(len(shape))[::-1])
    return [shape[axis] for axis in perm]


def _reshape(operator: Operator) -> Open | None:
    x, target = operator.inputs[:2]
    if target is None or target.content is None:
        return None
    keeps = not operator.attributes.get("allowzero", 0)
    source = x.shape if x is not None else None
    out: list[Size | None] = []
    for axis, size in enumerate(target.content):
        if size == 0 and keeps:
            out.append(source[axis] if source is not None and axis < len(source) else None)
        else:
            out.append(None if size == -1 else size)
    if out.count(None) == 1 and source is not None:
        out[out.index(None)] = quotient(product(source), product(size for size in out if size is not None))
    return out


def _squeeze(operator: Operator) -> Open | None:
    shape, axes = _same(operator), operator.input(1)
    if shape is None:
        return None
    if axes is None:
        return [size for size in shape if size != 1] if all(isinstance(size, int) for size in shape) else None
    gone = _axes(axes, len(shape))
    return None if gone is None else [size for axis, size in enumerate(shape) if axis not in gone]


def _unsqueeze(operator: Operator) -> Open | None:
    shape, axes = _same(operator), integers(operator.input(1))
    if shape is None or axes is None:
        return None
    rank = len(shape) + len(axes)
    new, rest = {axis % rank for axis in axes}, iter(shape)
    return [1 if axis in new else next(rest) for axis in range(rank)]


def _concat(operator: Operator) -> Open | None:
    shapes = _shapes(operator)
    if not shapes or len({len(s) for s in shapes}) != 1:
        return None
    axis = operator.attributes["axis"] % len(shapes[0])
    out = list(shapes[0])
    for shape in shapes[1:]:
        out[axis] = total(out[axis], shape[axis])
    return out


def _split(operator: Operator) -> list[Open]:
    """A shape for each output; none where nothing is known."""
    shape, sizes = _same(operator), integers(operator.input(1))
    if shape is None:
        return []
    axis, parts = operator.attributes.get("axis", 0) % len(shape), len(operator.outputs)
    if sizes is None and isinstance(shape[axis], int) and operator.input(1) is None:
        each = -(-int(shape[axis]) // parts)
        sizes = tuple(min(each, int(shape[axis]) - i * each) for i in range(parts))
    ones: Sequence[Size | None] = sizes if sizes is not None else [None] * parts
    return [[*shape[:axis], size, *shape[axis + 1 :]] for size in ones]


def _slice(operator: Operator) -> Open | None:
    shape = _same(operator)
    if shape is None:
        return None
    starts, ends = (value.content if value is not None else None for value in operator.inputs[1:3])
    listed, strides = operator.input(3), operator.input(4)
    axes = list(range(len(starts or ()))) if listed is None else _axes(listed, len(shape))
    steps = (1,) * len(axes or ()) if strides is None else integers(strides)
    if axes is None or (starts is None and listed is None):
        return [None] * len(shape)
    out: list[Size | None] = list(shape)
    known = starts is not None and ends is not None and steps is not None
    bounds = zip(starts or (), ends or (), steps or (), strict=False) if known else ()
    for axis, bound in itertools.zip_longest(axes, bounds):
        out[axis] = _cut(shape[axis], *bound) if bound is not None else None
    return out


def _cut(size: Size, start: Size, end: Size, step: int) -> Size | None:
    if isinstance(size, int) and isinstance(start, int) and isinstance(end, int):
        return len(range(size)[slice(start, end if end > -FAR else None, step)]) if step else None
    if step != 1:
        return None
    to_end = end == size or (isinstance(end, int) and end >= FAR)
    if to_end and isinstance(start, int):
        return difference(size, start) if start >= 0 else min(-start, size) if isinstance(size, int) else -start
    if start == 0 and isinstance(end, int) and end < 0:
        return difference(size, -end)
    if start == 0 and isinstance(size, int) and not isinstance(end, int):
        # The first `sequence` rows of a table of positions: where there are fewer, what is added to them would not fit.
        return end
    return None


def _gather(operator: Operator) -> Open | None:
    data, indices = operator.inputs[:2]
    if data is None or indices is None or data.shape is None or indices.shape is None:
        return None
    axis = operator.attributes.get("axis", 0) % len(data.shape)
    return [*data.shape[:axis], *indices.shape, *data.shape[axis + 1 :]]


def _gather_nd(operator: Operator) -> Open | None:
    data, indices = operator.inputs[:2]
    if data is None or indices is None or data.shape is None or not indices.shape:
        return None
    depth = indices.shape[-1]
    if not isinstance(depth, int):
        return None
    return [*indices.shape[:-1], *data.shape[operator.attributes.get("batch_dims", 0) + depth :]]


def _indices(operator: Operator) -> Open | None:
    indices = operator.input(1)
    return indices.shape if indices is not None else None


def _expand(operator: Operator) -> Open | None:
    x, target = operator.inputs[:2]
    if x is None or target is None or x.shape is None or target.content is None:
        return None
    return broadcast([x.shape, target.content])


def _filled(operator: Operator) -> Open | None:
    target = operator.input(0)
    return target.content if target is not None else None


def _range(operator: Operator) -> Open | None:
    start, limit, step = (v.content[0] if v is not None and v.content else None for v in operator.inputs)
    if start == 0 and step == 1:
        return [limit]
    if isinstance(start, int) and isinstance(limit, int) and isinstance(step, int) and step:
        return [len(range(start, limit, step))]
    return [None]


def _reduce(operator: Operator) -> Open | None:
    shape, axes = _same(operator), operator.input(1)
    if shape is None:
        return None
    if axes is None:
        gone = list(range(len(shape))) if not operator.attributes.get("noop_with_empty_axes", 0) else []
    else:
        found = _axes(axes, len(shape))
        if found is None:
            return None
        gone = found or list(range(len(shape)))
    return _without(shape, gone, operator.attributes.get("keepdims", 1))


def _arg(operator: Operator) -> Open | None:
    shape = _same(operator)
    if shape is None:
        return None
    return _without(shape, [operator.attributes.get("axis", 0) % len(shape)], operator.attributes.get("keepdims", 1))


def _without(shape: Open, gone: Sequence[int], keep: int) -> Open:
    kept = [1 if axis in gone else size for axis, size in enumerate(shape)]
    return kept if keep else [size for axis, size in enumerate(shape) if axis not in gone]


def _resize(operator: Operator) -> Open | None:
    """Where all sizes are told: the table of positions that a vision transformer stretches."""
    read, sizes = operator.attributes.get, operator.input(3)
    if sizes is None or read("axes") is not None or read("keep_aspect_ratio_policy", "stretch") != "stretch":
        return None
    return sizes.content


def _shape(operator: Operator) -> Open | None:
    shape = _same(operator)
    return (
        None
        if shape is None
        else [len(shape[slice(operator.attributes.get("start", 0), operator.attributes.get("end"))])]
    )


def _axes(value: Value | None, rank: int) -> list[int] | None:
    axes = integers(value)
    return None if axes is None else [axis % rank for axis in axes] if rank else []


RULES: Mapping[str, Callable[[Operator], Open | None]] = {
    **dict.fromkeys(
        (
            "Abs", "Cast", "Ceil", "Clip", "Cos", "CumSum", "DequantizeLinear", "DynamicQuantizeLinear", "Elu", "Erf",
            "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "Identity", "IsInf", "IsNaN", "LayerNormalization",
            "LeakyRelu", "Log", "Neg", "Not", "QuantizeLinear", "Reciprocal", "Relu", "Round", "Sigmoid", "Sign", "Sin",
            "Softmax", "Softplus", "Sqrt", "Tanh", "Trilu", "dequantize", "layer_norm", "quantize",
        ),
        _same,
    ),
    **dict.fromkeys(
        (
            "Add", "And", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Min", "Mod",
            "Mul", "Or", "Pow", "Sub", "Where", "Xor",
        ),
        _broadcast,
    ),
    **dict.fromkeys(
        ("ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare"),
        _reduce,
    ),
    **dict.fromkeys(("ArgMax", "ArgMin"), _arg),
    **dict.fromkeys(("MatMul", "MatMulInteger"), _matmul),
    **dict.fromkeys(("gemm_int8", "gemm_int4", "gemm_float"), _gemm),
    "Concat": _concat,
    "ConstantOfShape": _filled,
    "Expand": _expand,
    "Gemm": _two_sides,
    "Gather": _gather,
    "GatherElements": _indices,
    "GatherND": _gather_nd,
    "Range": _range,
    "Reshape": _reshape,
    "Resize": _resize,
    "Shape": _shape,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}  # fmt: skip
