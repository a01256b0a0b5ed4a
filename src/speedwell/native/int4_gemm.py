"""Weights of 4 bits in blocks, as ONNX Runtime (MatMulNBits) or ONNX (DequantizeLinear) writes them -> ``gemm_int4``.

Activations are quantized to bytes, as MatMulNBits itself does at accuracy_level 4, but row by row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .graph import Graph, Operator, Value, is_kind
from .quantize import steps_before
from .shapes import infer

__all__ = ["GROUPS", "MIDDLE", "ZERO", "rewrite"]

GROUPS = (16, 32, 64, 128, 256)
"""Terms of a block that the executor has kernels for."""
MIDDLE = 8
"""The zero point of blocks that have none of their own."""
ZERO = 5
"""Which input of the product the zero points are."""


@dataclass(frozen=True, eq=False)
class Blocks:
    """(half - zero) * scale. ``halves``: uint8 [N, groups * group / 2], two in a byte, the first one low;
    ``scale``: float32 [N, groups]; ``zero``: uint8 [N, groups], None where all are 8. ``depth``: K.
    """

    halves: np.ndarray
    scale: np.ndarray
    zero: np.ndarray | None
    depth: int
    group: int


def rewrite(graph: Graph, rows: int) -> int:
    """``rows``: the largest step of a row's quantization, 255 or 127. Returns how many products were found."""
    count = sum(_packed(graph, operator, rows) for operator in graph.each("MatMulNBits"))
    return count + sum(_dequantized(graph, operator, rows) for operator in graph.each("MatMul"))


def _packed(graph: Graph, operator: Operator, rows: int) -> bool:
    """MatMulNBits; not with other bits or blocks, weights in another order (g_idx) or zero points in floats."""
    weight, scale, zero, order, bias = (operator.input(i) for i in range(1, 6))
    read = operator.attributes.get
    columns, depth, group = read("N", 0), read("K", 0), read("block_size", 0)
    if read("bits", 4) != 4 or group not in GROUPS or order is not None or columns < 1 or depth < 1:
        return False
    groups = -(-depth // group)
    halves = _array(weight, np.uint8, columns * groups * (group // 2))
    scales = _array(scale, np.float32, columns * groups)
    middles, biases = None, None
    if halves is None or scales is None:
        return False
    if zero is not None:
        pairs = _array(zero, np.uint8, columns * -(-groups // 2))
        if pairs is None:
            return False
        pairs = pairs.reshape(columns, -1)
        middles = np.stack([pairs & 15, pairs >> 4], -1).reshape(columns, -1)[:, :groups].copy()
    if bias is not None:
        biases = _array(bias, np.float32, columns)
        if biases is None:
            return False
    blocks = Blocks(halves.reshape(columns, -1), scales.reshape(columns, groups), middles, depth, group)
    return _put(graph, operator, blocks, biases, rows)


def _dequantized(graph: Graph, operator: Operator, rows: int) -> bool:
    """MatMul of a constant [K, N] that DequantizeLinear makes of int4 or uint4, in blocks along K."""
    weight = operator.input(1)
    maker = weight.maker if weight is not None else None
    if maker is None or not is_kind(maker, "DequantizeLinear"):
        return False
    group, axis = maker.attributes.get("block_size", 0), maker.attributes.get("axis", 1)
    steps, scale, zero = (value.array if value is not None else None for value in map(maker.input, range(3)))
    if steps is None or scale is None or (maker.input(2) is not None and zero is None) or group not in GROUPS:
        return False
    if steps.dtype.name not in ("int4", "uint4") or steps.ndim != 2 or axis % 2 != 0 or scale.dtype != np.float32:
        return False
    depth, columns = steps.shape
    groups = -(-depth // group)
    if scale.shape != (groups, columns) or (zero is not None and zero.shape != scale.shape) or not columns * depth:
        return False
    shift = MIDDLE if steps.dtype.name == "int4" else 0
    halves = np.zeros((columns, groups * group), np.uint8)
    halves[:, :depth] = steps.T.astype(np.int16) + shift
    middles = (zero.T.astype(np.int16) if zero is not None else np.zeros(scale.T.shape, np.int16)) + shift
    blocks = Blocks(
        halves[:, ::2] | halves[:, 1::2] << 4, np.ascontiguousarray(scale.T),
        np.ascontiguousarray(middles, np.uint8), depth, group,
    )  # fmt: skip
    return _put(graph, operator, blocks, None, rows)


def _array(value: Value | None, dtype: type, size: int) -> np.ndarray | None:
    """The constant's elements where there are ``size`` of that type."""
    array = value.array if value is not None else None
    return array.reshape(-1) if array is not None and array.dtype == dtype and array.size == size else None


def _put(graph: Graph, operator: Operator, blocks: Blocks, bias: np.ndarray | None, rows: int) -> bool:
    """The product in ``operator``'s place."""
    x, name = operator.input(0), operator.name
    if x is None or x.array is not None:
        return False
    inputs: list[Value | None] = [
        x, graph.constant(f"{name}.weight", blocks.halves), graph.constant(f"{name}.weight_scale", blocks.scale),
        graph.constant(f"{name}.bias", bias) if bias is not None else None, None,
    ]  # fmt: skip
    if blocks.zero is not None and (blocks.zero != MIDDLE).any():
        inputs.append(graph.constant(f"{name}.weight_zero", blocks.zero))
    attributes = {"depth": blocks.depth, "group": blocks.group, "input": {"rows": rows}}
    if x.maker is not None and x.maker.kind == "dequantize" and x.maker.inputs[0] is not None:
        inputs[0], attributes["input"] = x.maker.inputs[0], steps_before(x.maker)
    made = graph.add("gemm_int4", inputs, attributes, near=operator, like=operator.output)
    made.output.dtype = "float32"
    infer(made)
    graph.replace(operator.output, made.output)
    graph.remove(operator)
    return True
