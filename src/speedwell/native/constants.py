"""Compute once what does not depend on the inputs, but never turn a small constant into a large one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .graph import Graph, Operator, Value
from .shapes import infer

__all__ = ["LARGEST", "rewrite"]

LARGEST = 1 << 16
"""Bytes: a result above this and above its own inputs together stays computed (Expand, Tile, Range, ...)."""
LEFT_ALONE = frozenset({"DequantizeLinear", "DynamicQuantizeLinear", "Dropout", "QuantizeLinear"})
"""Quantized weights are folded after the integer products have been found; random numbers are not constants."""


def rewrite(graph: Graph) -> int:
    """Fold, and fill in shapes on the way. Returns how many operators went."""
    graph.sort()
    count = 0
    for operator in graph.each():
        infer(operator)
        arrays = _arrays(operator)
        known = _known(operator)
        if known is not None:
            results: list[np.ndarray] | None = [known]
        else:
            results = _evaluated(operator, arrays) if arrays is not None and _pays(operator, arrays) else None
        if results is None:
            continue
        for value, array in zip(operator.outputs, results, strict=False):
            if value is not None:
                graph.replace(value, graph.constant(value.name, array))
        graph.remove(operator)
        count += 1
    return count


def _arrays(operator: Operator) -> list[np.ndarray | None] | None:
    """What a constant operator reads; None where it is none."""
    given = [value for value in operator.inputs if value is not None]
    constant = given and all(value.array is not None for value in given)
    if not constant or operator.kind in LEFT_ALONE or operator.kind.startswith("Random") or operator.kind[0].islower():
        return None
    return [value.array if value is not None else None for value in operator.inputs]


def _known(operator: Operator) -> np.ndarray | None:
    """The elements of what shapes alone decide, where all of these are fixed: the head dimension in sqrt(d)."""
    value = operator.outputs[0]
    if value is None or value.content is None or value.rank is None or value.dtype not in ("int64", "int32"):
        return None
    sizes = [size for size in value.content if isinstance(size, int)]
    if len(sizes) != len(value.content) or len(operator.outputs) > 1:
        return None
    return np.asarray(sizes, value.dtype).reshape(() if value.rank == 0 else -1)


def _pays(operator: Operator, arrays: Sequence[np.ndarray | None]) -> bool:
    if operator.kind == "Cast":
        return True  # float16 weights are carried as float32
    size = sum(_bytes(value) for value in operator.outputs if value is not None)
    return size <= max(LARGEST, sum(a.nbytes for a in arrays if a is not None))


def _bytes(value: Value) -> float:
    if value.shape is None or any(not isinstance(size, int) for size in value.shape):
        return math.inf
    width = np.dtype(value.dtype).itemsize if value.dtype in np.sctypeDict else 8
    return width * math.prod(size for size in value.shape if isinstance(size, int))


def _evaluated(operator: Operator, arrays: Sequence[np.ndarray | None]) -> list[np.ndarray] | None:
    """By onnx's reference; None where it cannot, or gives another type than the graph says."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    attributes = {
        key: onnx.numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value
        for key, value in operator.attributes.items()
    }
    inputs = ["" if array is None else f"i{i}" for i, array in enumerate(arrays)]
    outputs = ["" if value is None else f"o{i}" for i, value in enumerate(operator.outputs)]
    node = onnx.helper.make_node(operator.kind, inputs, outputs, **attributes)
    feeds = {name: array for name, array in zip(inputs, arrays, strict=True) if array is not None}
    try:
        made = ReferenceEvaluator(node).run(None, feeds)
    except (NotImplementedError, RuntimeError, TypeError, ValueError, IndexError, KeyError):
        return None  # it stays an operator; what is wrong with it is said by whoever runs it
    results = [np.asarray(array, order="C") for array in made]
    fits = all(v is None or v.dtype in ("", a.dtype.name) for v, a in zip(operator.outputs, results, strict=False))
    return results if fits and len(results) >= len(outputs) else None
