"""Which operators of a graph become int8, and which of their tensors are quantized.

Three kinds, chosen so that ONNX Runtime and OpenVINO both run them in int8 (checked by the conformance tests):
  weighted  Conv, Gemm, MatMul with a constant weight: the work. A Conv's output is quantized too (ONNX Runtime has no
            integer convolution with a float output); Gemm and MatMul give floats to the LayerNorm, Gelu or Softmax
            after them.
  joining   Add and Concat whose inputs are all quantized anyway: the residual sums of convolutional networks. The
            residual stream of a transformer stays float.
  moving    MaxPool, Reshape, Transpose, ... between two of those: they pass the integers on.
Left in float: Softmax, LayerNormalization, Gelu, activation x activation MatMul (their ranges vary by sample), and
ConvTranspose (ONNX Runtime has no integer form).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..graph import constant, is_op, only_use

if TYPE_CHECKING:
    import onnx_ir as ir

__all__ = ["Coverage", "coverage", "weight_axis", "weighted", "weighted_nodes"]

KEEPS_RANGE = ("MaxPool", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Pad")
MOVING = (*KEEPS_RANGE, "AveragePool", "GlobalAveragePool")
JOINING = ("Add", "Concat")


@dataclass(frozen=True, eq=False)
class Coverage:
    """``weighted``: node names. ``tensors``: every tensor that gets a quantize-dequantize pair; the value is the
    tensor whose range it shares (its own for most). ``produced``: those of them that an int8 operator gives, so that
    every reader takes the dequantized one; the others' float readers keep the float.
    ``readers``: the nodes that read quantized inputs.
    """

    weighted: tuple[str, ...]
    tensors: dict[str, str]
    produced: frozenset[str]
    readers: frozenset[str]


def weighted(node: ir.Node) -> bool:
    """True for an operator that ``coverage`` can quantize by its weight."""
    if not is_op(node, "Conv", "Gemm", "MatMul") or len(node.inputs) < 2 or node.inputs[0] is None:
        return False
    weight = constant(node.inputs[1])
    if weight is None or weight.dtype != np.float32 or constant(node.inputs[0]) is not None:
        return False
    if len(node.inputs) > 2 and node.inputs[2] is not None and constant(node.inputs[2]) is None:
        return False
    if node.op_type == "Conv":
        return weight.ndim in (3, 4, 5)
    if node.op_type == "Gemm":
        plain = all(
            node.attributes.get(name) is None or float(node.attributes[name].value) == value
            for name, value in (("transA", 0), ("alpha", 1), ("beta", 1))
        )
        bias = constant(node.inputs[2]) if len(node.inputs) > 2 else None
        out = weight.shape[0 if _transposed(node) else 1]
        return plain and (bias is None or bias.shape in ((out,), (1, out)))
    return weight.ndim == 2


def weight_axis(node: ir.Node) -> int:
    """The axis of a weighted node's weight that counts its output channels."""
    return 0 if node.op_type == "Conv" or _transposed(node) else 1


def weighted_nodes(model: ir.Model) -> tuple[str, ...]:
    """Names of all nodes that could be quantized by weight, in graph order."""
    return tuple(str(n.name) for n in model.graph if weighted(n))


def coverage(model: ir.Model, keep_float: Collection[str] = ()) -> Coverage:
    """What to quantize, the nodes named in ``keep_float`` left out. Nodes must be sorted and named."""
    chosen = {str(n.name): n for n in model.graph if weighted(n) and n.name not in keep_float}
    tensors: dict[str, str] = {}
    produced: set[str] = set()
    readers = set(chosen)
    for node in chosen.values():
        if node.op_type == "Conv":
            produced.add(_after_activation(node.outputs[0]))
    _grow(model, produced, readers, tensors)
    for node in chosen.values():
        source = _name(node.inputs[0])
        tensors.setdefault(source, source)
    for name in produced:
        tensors.setdefault(name, name)
    return Coverage(tuple(chosen), tensors, frozenset(produced), frozenset(readers))


def _grow(model: ir.Model, produced: set[str], readers: set[str], tensors: dict[str, str]) -> None:
    """Add joining and moving nodes, in graph order, to ``produced`` and ``readers``."""
    nodes = list(model.graph)
    useful = _leads_to(nodes, readers)
    for node in nodes:
        if is_op(node, *JOINING):
            if all(v is not None and v.name in produced for v in node.inputs):
                produced.add(_after_activation(node.outputs[0]))
                readers.add(str(node.name))
        elif is_op(node, *MOVING) and node.inputs[0] is not None and node.inputs[0].name in produced:
            if node.name not in useful or any(list(o.uses()) for o in node.outputs[1:]):
                continue
            source, out = _name(node.inputs[0]), _name(node.outputs[0])
            if node.op_type == "Pad" and not _pads_zero(node):
                continue
            produced.add(out)
            readers.add(str(node.name))
            tensors[out] = tensors.get(source, source) if is_op(node, *KEEPS_RANGE) else out


def _leads_to(nodes: list[ir.Node], readers: set[str]) -> set[str]:
    """Names of moving nodes whose output reaches a weighted or joining node through moving nodes only."""
    useful: set[str] = set()
    for node in reversed(nodes):
        if is_op(node, *MOVING):
            followers = [use.node for use in node.outputs[0].uses()]
            if any(f.name in readers or f.name in useful or _joins(f) for f in followers):
                useful.add(str(node.name))
    return useful


def _joins(node: ir.Node) -> bool:
    return is_op(node, *JOINING) and all(constant(v) is None for v in node.inputs)


def _after_activation(value: ir.Value) -> str:
    """The tensor to quantize behind ``value``: past a Relu or Clip that alone reads it, which the integer range of
    the result does by itself.
    """
    node = only_use(value)
    if node is not None and is_op(node, "Relu"):
        return _name(node.outputs[0])
    if node is not None and is_op(node, "Clip") and all(constant(v) is not None for v in node.inputs[1:] if v):
        return _name(node.outputs[0])
    return _name(value)


def _pads_zero(node: ir.Node) -> bool:
    mode = node.attributes.get("mode")
    if mode is not None and mode.as_string() != "constant":
        return False
    fill = constant(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] is not None else np.zeros(1)
    return fill is not None and not fill.any()


def _transposed(node: ir.Node) -> bool:
    attribute = node.attributes.get("transB")
    return attribute is not None and bool(attribute.as_int())


def _name(value: ir.Value | None) -> str:
    assert value is not None
    assert value.name is not None
    return value.name
