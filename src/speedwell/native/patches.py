"""A convolution whose kernels lie side by side (a patch embedding) is one product over patches.

[B, C, hP, wQ] -> [B, C, h, P, w, Q] -> [B, h, w, C, P, Q] -> [B, hw, CPQ], times the weight [O, CPQ], and back to
[B, O, h, w]. In float32, between DequantizeLinear (the bytes are moved), and with an activation quantized at run time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .dynamic_gemm import dynamic_of
from .graph import Graph, Operator, Value
from .linear import Linear, column_vector, put_product
from .sizes import Size
from .weights import integer_weight

__all__ = ["rewrite"]


@dataclass(frozen=True)
class _Grid:
    """``rows`` x ``columns`` patches of ``channels`` x ``height`` x ``width``, ``outputs`` kernels."""

    rows: int
    columns: int
    channels: int
    height: int
    width: int
    outputs: int

    @property
    def patch(self) -> int:
        return self.channels * self.height * self.width


def rewrite(graph: Graph, rows: int) -> int:
    """``rows``: as in ``dynamic_gemm``. Returns how many convolutions were found."""
    found = sum(_convolution(graph, operator) for operator in graph.each("Conv"))
    return found + sum(_dynamic(graph, operator, rows) for operator in graph.each("ConvInteger"))


def _grid(operator: Operator, x: Value | None, weight: Value | None) -> _Grid | None:
    """None where patches overlap, leave a rest, or are padded, and where a size is not known."""
    if x is None or weight is None or x.shape is None or weight.shape is None or len(x.shape) != 4:
        return None
    read = operator.attributes.get
    outputs, channels, height, width = (int(n) if isinstance(n, int) else 0 for n in weight.shape)
    tall, wide = x.shape[2:]
    plain = not any(read("pads", ())) and read("group", 1) == 1 and set(read("dilations", (1,))) == {1}
    if (
        not plain
        or read("auto_pad", "NOTSET") not in ("NOTSET", "VALID")
        or list(read("strides", ())) != [height, width]
    ):
        return None
    if not isinstance(tall, int) or not isinstance(wide, int) or x.shape[1] != channels or not height or not width:
        return None
    if tall % height or wide % width:
        return None
    return _Grid(tall // height, wide // width, channels, height, width, outputs)


def _convolution(graph: Graph, operator: Operator) -> bool:
    x, weight, bias = (operator.input(i) for i in range(3))
    grid = _grid(operator, x, weight)
    if grid is None or x is None or weight is None or x.array is not None:
        return False
    matrix = _matrix(graph, operator, weight, grid)
    vector = column_vector(bias, grid.outputs)
    if matrix is None or (bias is not None and vector is None):
        return False
    step = x.maker
    if step is not None and step.kind == "dequantize" and step.inputs[0] is not None:
        moved = _patches(graph, operator, step.inputs[0], grid)
        moved = graph.add("dequantize", [moved], step.attributes, near=operator, like=moved).output
        moved.dtype = "float32"
    else:
        moved = _patches(graph, operator, x, grid)
    batch = x.shape[0] if x.shape is not None else 1
    out = graph.add("MatMul", [moved, matrix], near=operator).output
    out.dtype, out.shape = "float32", (batch, grid.rows * grid.columns, grid.outputs)
    if vector is not None:
        added = graph.constant(f"{operator.name}.bias", vector)
        out = graph.add("Add", [out, added], near=operator, like=out).output
    graph.replace(operator.output, _image(graph, operator, out, grid))
    graph.remove(operator)
    return True


def _matrix(graph: Graph, operator: Operator, weight: Value, grid: _Grid) -> Value | None:
    """The weight as [CPQ, O]: a constant, or integers with a scale for each of the O."""
    if weight.array is not None:
        flat = weight.array.reshape(grid.outputs, grid.patch)
        return graph.constant(f"{operator.name}.matrix", np.ascontiguousarray(flat.T))
    maker = weight.maker
    if maker is None or maker.kind != "DequantizeLinear" or any(v is None or v.array is None for v in maker.inputs):
        return None
    integers, scale, *zero = (v.array for v in maker.inputs if v is not None)
    if integers is None or scale is None or (scale.size > 1 and maker.attributes.get("axis", 1) % 4 != 0):
        return None
    flat = np.ascontiguousarray(integers.reshape(grid.outputs, grid.patch).T)
    held = [graph.constant(f"{operator.name}.matrix", flat), maker.inputs[1], *(maker.inputs[2:3] if zero else ())]
    made = graph.add("DequantizeLinear", held, {"axis": 1}, near=operator)
    made.output.dtype, made.output.shape = "float32", (grid.patch, grid.outputs)
    return made.output


def _dynamic(graph: Graph, operator: Operator, rows: int) -> bool:
    dynamic, held, zero = dynamic_of(graph, operator), operator.input(1), operator.input(3)
    grid = _grid(operator, dynamic.x if dynamic is not None else None, held)
    if (
        dynamic is None
        or grid is None
        or held is None
        or held.array is None
        or (zero is not None and zero.array is None)
    ):
        return False
    flat = held.array.reshape(grid.outputs, grid.patch)
    weight = integer_weight(flat, zero.array if zero is not None else None, 0)
    scale = _by_channel(dynamic.scale, grid.outputs)
    if weight is None or scale is None:
        return False
    last = dynamic.last
    add = graph.only_reader(last.output)
    bias = None
    if add is not None and add.kind == "Add":
        other = add.inputs[1] if add.inputs[0] is last.output else add.inputs[0]
        vector = _by_channel(other.array, grid.outputs) if other is not None and other.array is not None else None
        if vector is not None:
            last, bias = add, graph.constant(f"{operator.name}.bias", vector)
    batch: Size = dynamic.x.shape[0] if dynamic.x.shape is not None else 1
    values: list[Value | None] = [
        graph.constant(f"{operator.name}.weight", weight), graph.constant(f"{operator.name}.weight_scale", scale),
    ]  # fmt: skip
    moved = _patches(graph, operator, dynamic.x, grid)
    marker = graph.add("Identity", [moved], near=operator)
    marker.output.dtype, marker.output.shape = "float32", (batch, grid.rows * grid.columns, grid.outputs)
    image = _image(graph, operator, marker.output, grid)
    put_product(graph, marker, Linear(moved, held, 1, addend=bias), "gemm_int8", values, {"input": {"rows": rows}})
    graph.replace(last.output, image)
    return True


def _by_channel(array: np.ndarray, channels: int) -> np.ndarray | None:
    """float32 [channels] of one number, or of one number for each channel of [B, C, h, w]."""
    fits = array.size == 1 or (array.ndim in (3, 4) and array.shape[-3] == array.size == channels)
    return np.broadcast_to(array.reshape(-1), (channels,)).astype(np.float32) if fits else None


def _patches(graph: Graph, operator: Operator, x: Value, grid: _Grid) -> Value:
    """[B, C, hP, wQ] as [B, hw, CPQ]."""
    batch: Size = x.shape[0] if x.shape is not None else 1
    cut = (grid.channels, grid.rows, grid.height, grid.columns, grid.width)
    value = _reshaped(graph, operator, x, (batch, *cut))
    order = [0, 2, 4, 1, 3, 5]
    turned = graph.add("Transpose", [value], {"perm": order}, near=operator).output
    assert value.shape is not None
    turned.dtype, turned.shape = x.dtype, tuple(value.shape[axis] for axis in order)
    return _reshaped(graph, operator, turned, (batch, grid.rows * grid.columns, grid.patch))


def _image(graph: Graph, operator: Operator, value: Value, grid: _Grid) -> Value:
    """[B, hw, O] as [B, O, h, w]."""
    batch: Size = value.shape[0] if value.shape is not None else 1
    turned = graph.add("Transpose", [value], {"perm": [0, 2, 1]}, near=operator).output
    turned.dtype, turned.shape = value.dtype, (batch, grid.outputs, grid.rows * grid.columns)
    return _reshaped(graph, operator, turned, (batch, grid.outputs, grid.rows, grid.columns))


def _reshaped(graph: Graph, operator: Operator, value: Value, shape: tuple[Size, ...]) -> Value:
    """To ``shape``, of which the first size is kept and the others are known."""
    sizes = [0, *(int(size) for size in shape[1:] if isinstance(size, int))]
    target = graph.constant(f"{operator.name}.shape", np.asarray(sizes, np.int64))
    made = graph.add("Reshape", [value, target], near=operator).output
    made.dtype, made.shape = value.dtype, shape
    return made
