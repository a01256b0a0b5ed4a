"""Remove what does nothing at inference: Identity, Dropout, x + 0, x * 1, a cast to the same type, ..."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..graph import constant, is_op, replace_output

if TYPE_CHECKING:
    import onnx_ir as ir

__all__ = ["rewrite"]


def rewrite(model: ir.Model) -> int:
    """Remove no-ops. One that joins a network input or weight directly to an output stays. Returns how many went."""
    count = 0
    for node in list(model.graph):
        source = _passes_through(node)
        if source is None:
            continue
        out = node.outputs[0]
        if out.is_graph_output() and (
            source.is_graph_input() or source.is_initializer() or source.is_graph_output() or source.producer() is None
        ):
            continue
        replace_output(out, source)
        model.graph.remove(node, safe=True)
        count += 1
    return count


def _passes_through(node: ir.Node) -> ir.Value | None:
    """The input that the node's first output equals; None where the node does something."""
    if not node.inputs or node.inputs[0] is None:
        return None
    x = node.inputs[0]
    if any(list(o.uses()) or o.is_graph_output() for o in node.outputs[1:]):
        return None
    if is_op(node, "Identity"):
        return x
    if is_op(node, "Dropout"):
        training = constant(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] is not None else np.array(False)
        return x if training is not None and not training.any() else None
    if is_op(node, "Cast"):
        return x if x.dtype is not None and int(x.dtype) == node.attributes["to"].as_int() else None
    if is_op(node, "Concat"):
        return x if len(node.inputs) == 1 else None
    if is_op(node, "Transpose"):
        perm = node.attributes.get("perm")
        return x if perm is not None and list(perm.as_ints()) == sorted(perm.as_ints()) else None
    if is_op(node, "Pad"):
        pads = constant(node.inputs[1]) if len(node.inputs) > 1 else None
        return x if pads is not None and not pads.any() else None
    if is_op(node, "Add", "Mul"):
        neutral = 0 if node.op_type == "Add" else 1
        for one, other in ((x, node.inputs[1]), (node.inputs[1], x)):
            if other is not None and one is not None and _neutral(other, neutral, one):
                return one
        return None
    if is_op(node, "Sub", "Div"):
        neutral = 0 if node.op_type == "Sub" else 1
        return x if _neutral(node.inputs[1], neutral, x) else None
    return None


def _neutral(value: ir.Value | None, number: int, other: ir.Value) -> bool:
    """True where ``value`` is all ``number`` and does not broadcast ``other`` to more dimensions or elements."""
    array = constant(value)
    if array is None or array.size != 1 or array.reshape(-1)[0] != number:
        return False
    return array.ndim == 0 or (other.shape is not None and array.ndim <= len(other.shape))
