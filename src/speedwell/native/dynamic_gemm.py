"""DynamicQuantizeLinear, an integer product and its scales -> ``gemm_int8`` that quantizes each row as it is read.

Each row gets a range of its own where ONNX takes one for the whole tensor: the same operator, with finer steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .factors import factors
from .graph import Graph, Operator, Value, is_kind
from .linear import Linear, put_product
from .weights import integer_weight

__all__ = ["Dynamic", "dynamic_of", "rewrite"]


@dataclass(frozen=True, eq=False)
class Dynamic:
    """``x``: what is quantized at run time. ``scale``: the weight's, as it stands. ``last``: the end of the pattern."""

    x: Value
    scale: np.ndarray
    last: Operator


def rewrite(graph: Graph, rows: int) -> int:
    """``rows``: the largest step of a row's quantization, 255 or 127. Returns how many products were found."""
    return sum(_match(graph, operator, rows) for operator in graph.each("MatMulInteger"))


def _match(graph: Graph, operator: Operator, rows: int) -> bool:
    dynamic, held, zero = dynamic_of(graph, operator), operator.input(1), operator.input(3)
    if dynamic is None or held is None or held.array is None or (zero is not None and zero.array is None):
        return False
    weight = integer_weight(held.array, zero.array if zero is not None else None, 1)
    if (
        weight is None
        or dynamic.scale.size not in (1, len(weight))
        or dynamic.scale.shape[-1:] != (dynamic.scale.size,)
    ):
        return False
    scale = np.broadcast_to(dynamic.scale.reshape(-1), (len(weight),)).astype(np.float32)
    values: list[Value | None] = [
        graph.constant(f"{operator.name}.weight", weight),
        graph.constant(f"{operator.name}.weight_scale", scale),
    ]
    put_product(graph, dynamic.last, Linear(dynamic.x, held, 1), "gemm_int8", values, {"input": {"rows": rows}})
    return True


def dynamic_of(graph: Graph, operator: Operator) -> Dynamic | None:
    """The pattern around an integer product (MatMulInteger or ConvInteger) of a tensor quantized at run time."""
    q, zero = operator.input(0), operator.input(2)
    source = q.maker if q is not None else None
    if source is None or source.kind != "DynamicQuantizeLinear" or q is not source.outputs[0]:
        return None
    if zero is not source.outputs[2] or source.inputs[0] is None:
        return None
    cast = graph.only_reader(operator.output)
    if not is_kind(cast, "Cast") or cast is None or cast.output.dtype != "float32":
        return None
    found, last = None, cast
    while (after := graph.only_reader(last.output)) is not None and after.kind == "Mul":
        last = after
        scale = _weight_scale(graph, last.output, cast.output, source.outputs[1])
        if scale is not None:
            found = Dynamic(source.inputs[0], scale, last)
        elif found is not None:
            break
    return found


def _weight_scale(graph: Graph, value: Value, product: Value, row_scale: Value | None) -> np.ndarray | None:
    """The constant in ``product * row_scale * constant``; None where ``value`` is anything else."""
    number, tensors = factors(graph, value, shared=True)  # products of the same rows may share row_scale * constant
    constants = [tensor.array for tensor in tensors if tensor.array is not None]
    rest = {id(tensor) for tensor in tensors if tensor.array is None}
    if rest != {id(product), id(row_scale)} or len(tensors) != len(constants) + 2 or len(constants) > 1:
        return None
    scale = constants[0] if constants else np.ones(1, np.float32)
    return (scale * np.float32(number)).astype(np.float32) if scale.dtype == np.float32 else None
