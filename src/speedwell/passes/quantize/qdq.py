"""Write quantize-dequantize pairs into a graph: standard QuantizeLinear and DequantizeLinear, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..graph import constant, initializer, insert_node_before, is_op
from .clipping import steps
from .coverage import Coverage, weight_axis
from .weights import quantize_weight

if TYPE_CHECKING:
    import onnx_ir as ir

__all__ = ["insert_pairs"]

LARGEST_BIAS = 2.0**30
"""In steps of its own scale; a channel whose bias would need more gets a coarser weight scale."""


def insert_pairs(model: ir.Model, plan: Coverage, ranges: Mapping[str, tuple[float, float]], weight_bits: int) -> None:
    """Quantize ``plan``'s tensors, weights and biases in place. ``ranges``: tensor name -> (low, high)."""
    values = {v.name: v for v in model.graph.inputs} | {v.name: v for n in model.graph for v in n.outputs}
    settings = {name: steps(*ranges[source]) for name, source in plan.tensors.items()}
    nodes = {str(n.name): n for n in model.graph}
    for name in plan.weighted:
        node = nodes[name]
        source = node.inputs[0]
        assert source is not None
        _quantize_weight(model, node, settings[str(source.name)][0], weight_bits)
    shared: dict[tuple[float, int], tuple[ir.Value, ir.Value]] = {}
    for name, (scale, zero) in settings.items():
        key = (float(scale), int(zero))
        if key not in shared:
            shared[key] = (initializer(model, f"{name}_scale", scale), initializer(model, f"{name}_zero", zero))
        _pair(model, values[name], *shared[key], plan)


def _pair(model: ir.Model, value: ir.Value, scale: ir.Value, zero: ir.Value, plan: Coverage) -> None:
    """value -> QuantizeLinear -> DequantizeLinear -> its readers (all of them where an int8 operator makes it)."""
    readers = [
        u
        for u in value.uses()
        if value.name in plan.produced or (u.node.name in plan.readers and _reads(u.node, u.idx))
    ]
    if not readers and not value.is_graph_output():
        return
    name = value.name
    first = next((n for n in model.graph if any(u.node is n for u in readers)), None)
    anchor = first if first is not None else next(reversed(model.graph))
    quantize = insert_node_before(anchor, "QuantizeLinear", [value, scale, zero], name=f"{name}_quantize")
    dequantize = insert_node_before(
        anchor, "DequantizeLinear", [quantize.outputs[0], scale, zero], name=f"{name}_dequantize"
    )
    if first is None:  # only an output of the network reads it
        model.graph.remove([quantize, dequantize])
        model.graph.extend([quantize, dequantize])
    out = dequantize.outputs[0]
    quantize.outputs[0].name, out.name = f"{name}_quantized", f"{name}_dequantized"
    out.shape, out.type = value.shape, value.type
    for use in readers:
        use.node.replace_input_with(use.idx, out)
    if value.is_graph_output() and value.name in plan.produced:
        outputs = model.graph.outputs
        outputs[list(outputs).index(value)] = out
        value.name, out.name = f"{name}_float", name


def _reads(node: ir.Node, index: int) -> bool:
    """A weighted node's first input only: its weight and bias are quantized on their own."""
    return index == 0 or not is_op(node, "Conv", "Gemm", "MatMul")


def _quantize_weight(model: ir.Model, node: ir.Node, input_scale: np.float32, bits: int) -> None:
    weight = constant(node.inputs[1])
    assert weight is not None
    axis = weight_axis(node)
    bias = constant(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] is not None else None
    least = None
    if bias is not None:
        bias = bias.reshape(-1)
        least = np.abs(bias.astype(np.float64)) / (float(input_scale) * LARGEST_BIAS)
    quantized, scale = quantize_weight(weight, axis, bits, least)
    node.replace_input_with(1, _dequantized(model, node, f"{node.name}_weight", quantized, scale, axis))
    if bias is not None:
        # the accumulator's own unit, computed in float32 as the engines do
        unit = (np.float32(input_scale) * scale).astype(np.float32)
        unit = np.maximum(unit, np.finfo(np.float32).tiny)
        steps_of_bias = np.clip(np.rint(bias.astype(np.float64) / unit), -(2.0**31), 2.0**31 - 1).astype(np.int32)
        node.replace_input_with(2, _dequantized(model, node, f"{node.name}_bias", steps_of_bias, unit, 0))


def _dequantized(
    model: ir.Model, node: ir.Node, name: str, array: np.ndarray, scale: np.ndarray, axis: int
) -> ir.Value:
    inputs = [
        initializer(model, f"{name}_quantized", array),
        initializer(model, f"{name}_scale", scale),
        initializer(model, f"{name}_zero", np.zeros(len(scale), array.dtype)),
    ]
    made = insert_node_before(node, "DequantizeLinear", inputs, {"axis": axis}, name=f"{name}_dequantize")
    made.outputs[0].name = f"{name}_dequantized"
    return made.outputs[0]
