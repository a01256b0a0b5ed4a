"""An Add of one constant per channel after a Conv or ConvTranspose becomes its bias."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..graph import constant, initializer, is_op, only_use, replace_output

if TYPE_CHECKING:
    import onnx_ir as ir

__all__ = ["rewrite"]


def rewrite(model: ir.Model) -> int:
    """Merge Conv + Add(constant [1, C, 1, ...]). Returns how many Adds went."""
    count = 0
    for node in list(model.graph):
        if not is_op(node, "Add"):
            continue
        for conv_side, bias_side in ((0, 1), (1, 0)):
            value = node.inputs[conv_side]
            conv = value.producer() if value is not None else None
            added = constant(node.inputs[bias_side])
            if added is None or conv is None or not is_op(conv, "Conv", "ConvTranspose"):
                continue
            if only_use(conv.outputs[0]) is None or not _merge(model, conv, added):
                continue
            replace_output(node.outputs[0], conv.outputs[0])
            model.graph.remove(node, safe=True)
            count += 1
            break
    return count


def _merge(model: ir.Model, conv: ir.Node, added: np.ndarray) -> bool:
    weight = constant(conv.inputs[1])
    if weight is None:
        return False
    group = conv.attributes.get("group")
    out = weight.shape[0] if conv.op_type == "Conv" else weight.shape[1] * (group.as_int() if group else 1)
    spatial = weight.ndim - 2
    # the channel axis is `spatial` axes from the end; a scalar is the same for every channel
    shape = (1,) * max(0, spatial + 1 - added.ndim) + added.shape
    channel_axis = len(shape) - 1 - spatial
    if len(shape) > weight.ndim or added.size not in (1, out) or shape[channel_axis] != added.size:
        return False
    total = np.broadcast_to(added.reshape(-1), (out,)).astype(np.float64)
    if len(conv.inputs) > 2 and conv.inputs[2] is not None:
        bias = constant(conv.inputs[2])
        if bias is None:
            return False
        total = total + bias
    if len(conv.inputs) < 3:
        conv.resize_inputs(3)
    conv.replace_input_with(2, initializer(model, f"{conv.name}_bias", total.astype(weight.dtype)))
    return True
