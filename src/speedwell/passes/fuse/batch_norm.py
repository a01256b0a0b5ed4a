"""Fold BatchNormalization into the Conv, ConvTranspose or Gemm beside it.

After:   g (W x + c - m) / s + b      = (g/s) W x + (g/s)(c - m) + b
Before:  W (g (x - m) / s + b) + c    = W diag(g/s) x + c + W (b - m g/s); exact only where nothing is padded with
zeros between the two, since BN(0) is not 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..graph import constant, initializer, is_op, only_use, replace_output

if TYPE_CHECKING:
    import onnx_ir as ir

__all__ = ["rewrite"]


def rewrite(model: ir.Model) -> int:
    """Fold where it is exact; arithmetic in float64. Returns how many normalizations went."""
    return sum(_fold(model, node) for node in list(model.graph) if is_op(node, "BatchNormalization"))


def _fold(model: ir.Model, norm: ir.Node) -> bool:
    affine = _affine(norm)
    if affine is None or norm.inputs[0] is None:
        return False
    scale, shift = affine
    producer = norm.inputs[0].producer()
    if is_op(producer, "Conv", "ConvTranspose", "Gemm") and producer is not None and only_use(producer.outputs[0]):
        return _into_producer(model, norm, producer, scale, shift)
    consumer = only_use(norm.outputs[0])
    if is_op(consumer, "Conv", "Gemm") and consumer is not None and consumer.inputs[0] is norm.outputs[0]:
        return _into_consumer(model, norm, consumer, scale, shift)
    return False


def _affine(norm: ir.Node) -> tuple[np.ndarray, np.ndarray] | None:
    """The normalization as y = scale x + shift per channel (float64); None in training mode or with computed parts."""
    training = norm.attributes.get("training_mode")
    if (training is not None and training.as_int()) or any(list(o.uses()) for o in norm.outputs[1:]):
        return None
    parts = [constant(v) for v in norm.inputs[1:5]]
    if len(parts) != 4 or any(p is None for p in parts):
        return None
    gamma, beta, mean, variance = (np.asarray(p, np.float64) for p in parts)
    epsilon = norm.attributes.get("epsilon")
    scale = gamma / np.sqrt(variance + (epsilon.as_float() if epsilon is not None else 1e-5))
    return scale, beta - mean * scale


def _into_producer(model: ir.Model, norm: ir.Node, node: ir.Node, scale: np.ndarray, shift: np.ndarray) -> bool:
    weight, bias = constant(node.inputs[1]), _bias(node, len(scale))
    if weight is None or bias is None:
        return False
    if node.op_type == "Gemm":
        bias = bias * _number(node, "beta", 1.0)
        axis = 0 if _number(node, "transB", 0) else 1
        parts = [_along(scale, weight.ndim, axis)]
    elif node.op_type == "ConvTranspose":
        # weights are [in, out / group, ...]: the channels of group k are scale[k * out/group :], for its own inputs
        group = int(_number(node, "group", 1))
        per_group = scale.reshape(group, -1)
        rows = np.repeat(per_group, weight.shape[0] // group, axis=0)
        parts = [rows.reshape(rows.shape + (1,) * (weight.ndim - 2))]
    else:
        parts = [_along(scale, weight.ndim, 0)]
    _set(model, node, weight * parts[0], bias * scale + shift, weight.dtype)
    replace_output(norm.outputs[0], node.outputs[0])
    model.graph.remove(norm, safe=True)
    return True


def _into_consumer(model: ir.Model, norm: ir.Node, node: ir.Node, scale: np.ndarray, shift: np.ndarray) -> bool:
    weight = constant(node.inputs[1])
    if weight is None:
        return False
    if node.op_type == "Gemm":
        if _number(node, "transA", 0) or _number(node, "alpha", 1.0) != 1.0:
            return False
        transposed = bool(_number(node, "transB", 0))
        bias = _bias(node, weight.shape[0 if transposed else 1])
        if bias is None:
            return False
        bias = bias * _number(node, "beta", 1.0)
        matrix = weight.astype(np.float64) if transposed else weight.astype(np.float64).T
        new, bias = matrix * scale, bias + matrix @ shift
        new = new if transposed else new.T
    else:
        bias = _bias(node, weight.shape[0])
        if bias is None or _pads(node):
            return False
        group = int(_number(node, "group", 1))
        outs = weight.shape[0] // group
        scales, shifts = (np.repeat(v.reshape(group, -1), outs, axis=0) for v in (scale, shift))  # [out, in / group]
        tail = (1,) * (weight.ndim - 2)
        new = weight.astype(np.float64) * scales.reshape(*weight.shape[:2], *tail)
        bias = bias + (weight.astype(np.float64).reshape(*weight.shape[:2], -1).sum(-1) * shifts).sum(1)
    _set(model, node, new, bias, weight.dtype)
    source = norm.inputs[0]
    assert source is not None
    node.replace_input_with(0, source)
    model.graph.remove(norm, safe=True)
    return True


def _set(model: ir.Model, node: ir.Node, weight: np.ndarray, bias: np.ndarray, dtype: np.dtype) -> None:
    name = node.inputs[1].name if node.inputs[1] is not None else node.name
    node.replace_input_with(1, initializer(model, f"{name}_folded", weight.astype(dtype)))
    if len(node.inputs) < 3:
        node.resize_inputs(3)
    node.replace_input_with(2, initializer(model, f"{name}_bias_folded", bias.astype(dtype)))
    if node.op_type == "Gemm" and "beta" in node.attributes:
        del node.attributes["beta"]


def _bias(node: ir.Node, channels: int) -> np.ndarray | None:
    """float64 [channels]; zeros where there is none; None where it is computed or not one per channel."""
    if len(node.inputs) < 3 or node.inputs[2] is None:
        return np.zeros(channels)
    bias = constant(node.inputs[2])
    if bias is None or bias.size not in (1, channels) or (bias.ndim > 1 and bias.shape[-1] != bias.size):
        return None
    return np.broadcast_to(bias.reshape(-1).astype(np.float64), (channels,))


def _along(vector: np.ndarray, rank: int, axis: int) -> np.ndarray:
    return vector.reshape([-1 if i == axis else 1 for i in range(rank)])


def _pads(node: ir.Node) -> bool:
    auto, pads = node.attributes.get("auto_pad"), node.attributes.get("pads")
    if auto is not None and auto.as_string() not in ("NOTSET", "VALID"):
        return True
    return pads is not None and any(pads.as_ints())


def _number(node: ir.Node, name: str, default: float) -> float:
    attribute = node.attributes.get(name)
    return default if attribute is None else float(attribute.value)
