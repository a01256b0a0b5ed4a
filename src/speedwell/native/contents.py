"""The elements of small integer tensors that are computed from shapes: half of every shape argument of an export."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .graph import Operator, Value
from .sizes import Size, difference, product, quotient, total

__all__ = ["CONTENTS", "FAR", "Content", "integers"]

Content = tuple[Size, ...]
FAR = 2**31 - 1
"""From here on the end of a slice means "to the end"."""


def integers(value: Value | None) -> tuple[int, ...] | None:
    """The elements of a constant integer tensor."""
    if value is None or value.array is None or value.array.dtype.kind not in "iu":
        return None
    return tuple(int(n) for n in value.array.reshape(-1))


def _of_shape(operator: Operator) -> Content | None:
    first = operator.input(0)
    if first is None or first.shape is None:
        return None
    return first.shape[slice(operator.attributes.get("start", 0), operator.attributes.get("end"))]


def _passed(operator: Operator) -> Content | None:
    """Squeeze, Unsqueeze, Cast, ...: the same elements, as long as they lie in a row."""
    first, out = operator.input(0), operator.output
    return first.content if first is not None and out.dtype in ("int64", "int32") and (out.rank or 0) <= 1 else None


def _joined(operator: Operator) -> Content | None:
    parts = [value.content if value is not None else None for value in operator.inputs]
    if operator.output.rank != 1 or any(part is None for part in parts):
        return None
    return tuple(size for part in parts if part is not None for size in part)


def _picked(operator: Operator) -> Content | None:
    data, indices = operator.input(0), integers(operator.input(1))
    if data is None or data.content is None or data.rank != 1 or indices is None or (operator.output.rank or 0) > 1:
        return None
    return (
        tuple(data.content[i] for i in indices)
        if all(-len(data.content) <= i < len(data.content) for i in indices)
        else None
    )


def _sliced(operator: Operator) -> Content | None:
    data, steps = operator.input(0), operator.input(4)
    if data is None or data.content is None or data.rank != 1:
        return None
    starts, ends = integers(operator.input(1)), integers(operator.input(2))
    step = (1,) if steps is None else integers(steps)
    if not starts or not ends or not step or not step[0]:
        return None
    return data.content[slice(starts[0], ends[0] if ends[0] > -FAR else None, step[0])]


def _computed(operator: Operator) -> Content | None:
    """Arithmetic of two numbers, or of two rows of them."""
    a, b = (value.content if value is not None else None for value in operator.inputs[:2])
    if not a or not b or (len(a) != len(b) and min(len(a), len(b)) != 1) or (operator.output.rank or 0) > 1:
        return None
    of_two = ARITHMETIC[operator.kind]
    found = [of_two(a[i % len(a)], b[i % len(b)]) for i in range(max(len(a), len(b)))]
    known = tuple(size for size in found if size is not None)
    return known if len(known) == len(found) else None


def _divided(a: Size, b: Size) -> Size | None:
    """Integers are cut towards zero, as ONNX divides them."""
    if isinstance(a, int) and isinstance(b, int):
        return (abs(a) // abs(b)) * (1 if (a < 0) == (b < 0) else -1) if b else None
    return quotient(a, b)


ARITHMETIC: Mapping[str, Callable[[Size, Size], Size | None]] = {
    "Add": total, "Div": _divided, "Mul": lambda a, b: product([a, b]), "Sub": difference,
}  # fmt: skip
CONTENTS: Mapping[str, Callable[[Operator], Content | None]] = {
    **dict.fromkeys(("Cast", "Identity", "Reshape", "Squeeze", "Unsqueeze"), _passed),
    **dict.fromkeys(ARITHMETIC, _computed),
    "Concat": _joined,
    "Gather": _picked,
    "Shape": _of_shape,
    "Slice": _sliced,
}
