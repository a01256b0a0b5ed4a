"""Write quantize-dequantize pairs into a graph: standard QuantizeLinear and DequantizeLinear, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..graph import constant, initializer, insert_node_before, is_op
from .clipping import LEVELS, steps
from .corrected import Weight, corrected
from .coverage import Coverage, weight_axis

if TYPE_CHECKING:
    import onnx_ir as ir

__all__ = ["clip_limits", "insert_pairs"]


def insert_pairs(
    model: ir.Model,
    plan: Coverage,
    ranges: Mapping[str, tuple[float, float]],
    weight_bits: int,
    weights: Mapping[str, Weight] | None = None,
    levels: int = LEVELS,
) -> None:
    """Quantize ``plan``'s tensors, weights and biases in place. ``ranges``: tensor name -> (low, high).

    ``weights``: those of corrected.py, for each weighted node and of ``weight_bits``; without them plain rounding.
    ``levels``: 255, or 127 for activations of 7 bits: a Clip before each QuantizeLinear then says so in the graph.
    """
    if weights is None:
        weights = corrected(model, plan.weighted, ranges, weight_bits, {}, levels)
    values = {v.name: v for v in model.graph.inputs} | {v.name: v for n in model.graph for v in n.outputs}
    settings = {name: steps(*ranges[source], levels) for name, source in plan.tensors.items()}
    nodes = {str(n.name): n for n in model.graph}
    for name in plan.weighted:
        node = nodes[name]
        source = node.inputs[0]
        assert source is not None
        _quantize_weight(model, node, settings[str(source.name)][0], weights[name])
    shared: dict[tuple[float, int], tuple[ir.Value, ir.Value]] = {}
    for name, (scale, zero) in settings.items():
        key = (float(scale), int(zero))
        if key not in shared:
            shared[key] = (initializer(model, f"{name}_scale", scale), initializer(model, f"{name}_zero", zero))
        _pair(model, values[name], *shared[key], plan, levels)


def clip_limits(scale: np.float32, zero: np.uint8, levels: int) -> tuple[np.float32, np.float32]:
    """What 0 and ``levels`` stand for: a Clip to these before a QuantizeLinear keeps its bytes in 0..``levels``.

    Exactly so in every engine: rounding is monotone, and the limits over the scale lie within a rounding error of
    whole numbers.
    """
    return np.float32(-float(zero) * float(scale)), np.float32((levels - float(zero)) * float(scale))


def _pair(model: ir.Model, value: ir.Value, scale: ir.Value, zero: ir.Value, plan: Coverage, levels: int) -> None:
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
    made, source = [], value
    if levels < LEVELS:
        made.append(_clip(model, anchor, value, (scale, zero), levels))
        source = made[0].outputs[0]
    quantize = insert_node_before(anchor, "QuantizeLinear", [source, scale, zero], name=f"{name}_quantize")
    dequantize = insert_node_before(
        anchor, "DequantizeLinear", [quantize.outputs[0], scale, zero], name=f"{name}_dequantize"
    )
    if first is None:  # only an output of the network reads it
        made += [quantize, dequantize]
        model.graph.remove(made)
        model.graph.extend(made)
    out = dequantize.outputs[0]
    quantize.outputs[0].name, out.name = f"{name}_quantized", f"{name}_dequantized"
    out.shape, out.type = value.shape, value.type
    apart: ir.Value | None = None
    for use in readers:
        channels = _float_channels(use.node) if use.idx == 0 and use.node.name not in plan.readers else 0
        if channels > 1 and apart is None:
            apart = _dequantized_by_channel(model, quantize, (scale, zero), channels, f"{name}_channels")
        use.node.replace_input_with(use.idx, apart if channels > 1 and apart is not None else out)
    if value.is_graph_output() and value.name in plan.produced:
        outputs = model.graph.outputs
        outputs[list(outputs).index(value)] = out
        value.name, out.name = f"{name}_float", name


def _clip(
    model: ir.Model, anchor: ir.Node, value: ir.Value, setting: tuple[ir.Value, ir.Value], levels: int
) -> ir.Node:
    scale, zero = (constant(v) for v in setting)
    assert scale is not None
    assert zero is not None
    limits = clip_limits(np.float32(scale), np.uint8(zero), levels)
    parts = [
        initializer(model, f"{value.name}_{end}", limit) for end, limit in zip(("low", "high"), limits, strict=True)
    ]
    clip = insert_node_before(anchor, "Clip", [value, *parts], name=f"{value.name}_clip")
    clip.outputs[0].name = f"{value.name}_clipped"
    clip.outputs[0].shape, clip.outputs[0].type = value.shape, value.type
    return clip


def _float_channels(node: ir.Node) -> int:
    """Input channels of a convolution or Gemm whose float weights ONNX Runtime would round by itself; else 0.

    Between a dequantized input and a quantized output it gives float weights int8 with one scale for all channels
    (WeightBiasQuantization, seen in 1.32): EfficientNet-Lite0 with 20 operators kept float fell from 93.8 to 86.5 %.
    It wants the input's scale to be a single number; one number per channel, all the same, keeps it off.
    """
    if not is_op(node, "Conv", "ConvTranspose", "Gemm") or (weight := constant(node.inputs[1])) is None:
        return 0
    group = node.attributes.get("group")
    if node.op_type == "Conv":
        return int(weight.shape[1]) * (1 if group is None else group.as_int())
    transposed = node.attributes.get("transB")
    return int(weight.shape[1 if transposed is not None and transposed.as_int() else 0])


def _dequantized_by_channel(
    model: ir.Model, quantize: ir.Node, setting: tuple[ir.Value, ir.Value], channels: int, name: str
) -> ir.Value:
    parts = []
    for value, what in zip(setting, ("scale", "zero"), strict=True):
        single = constant(value)
        assert single is not None
        parts.append(initializer(model, f"{name}_{what}", np.full(channels, single)))
    import onnx_ir as ir

    graph, source = quantize.graph, quantize.inputs[0]
    assert graph is not None
    assert source is not None
    following = ir.node("DequantizeLinear", [quantize.outputs[0], *parts], {"axis": 1}, name=f"{name}_dequantize")
    graph.insert_after(quantize, following)
    out = following.outputs[0]
    out.name, out.shape, out.type = f"{name}_dequantized", source.shape, source.type
    return out


def _reads(node: ir.Node, index: int) -> bool:
    """A weighted node's first input only: its weight and bias are quantized on their own."""
    return index == 0 or not is_op(node, "Conv", "Gemm", "MatMul")


def _quantize_weight(model: ir.Model, node: ir.Node, input_scale: np.float32, weight: Weight) -> None:
    axis, scale = weight_axis(node), weight.scale
    node.replace_input_with(1, _dequantized(model, node, f"{node.name}_weight", weight.quantized, scale, axis))
    if weight.bias is not None:
        # the accumulator's own unit, computed in float32 as the engines do
        unit = (np.float32(input_scale) * scale).astype(np.float32)
        unit = np.maximum(unit, np.finfo(np.float32).tiny)
        steps_of_bias = np.clip(np.rint(weight.bias / unit), -(2.0**31), 2.0**31 - 1).astype(np.int32)
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
