"""LayerNormalization found again where an exporter wrote it out.

(x - mean(x)) / sqrt(mean((x - mean(x))^2) + eps) * gamma + beta, over the last axis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..graph import constant, initializer, insert_before, is_op, only_use, opset, replace_output, scalar

if TYPE_CHECKING:
    import onnx_ir as ir

__all__ = ["FIRST_OPSET", "rewrite"]

FIRST_OPSET = 17


def rewrite(model: ir.Model) -> int:
    """Fold the pattern into LayerNormalization. Returns how many were found."""
    if opset(model) < FIRST_OPSET:
        return 0
    return sum(_match(model, node) for node in list(model.graph) if is_op(node, "Div", "Mul") and node.graph)


def _match(model: ir.Model, node: ir.Node) -> bool:
    found = _normalized(node)
    if found is None:
        return False
    x, epsilon = found
    gamma_node = only_use(node.outputs[0])
    gamma = _vector_operand(gamma_node, "Mul", node.outputs[0])
    if gamma_node is None or gamma is None:
        return False
    last, beta_value = gamma_node, None
    beta_node = only_use(gamma_node.outputs[0])
    beta = _vector_operand(beta_node, "Add", gamma_node.outputs[0])
    inputs = [x, initializer(model, f"{node.name}_gamma", gamma)]
    if beta_node is not None and beta is not None and beta.shape == gamma.shape:
        last, beta_value = beta_node, beta
        inputs.append(initializer(model, f"{node.name}_beta", beta_value))
    out = insert_before(
        last, "LayerNormalization", inputs, {"axis": -1, "epsilon": epsilon}, name=f"{node.name}_layer_norm",
        like=last.outputs[0],
    )  # fmt: skip
    replace_output(last.outputs[0], out)
    for dead in (last, gamma_node) if last is not gamma_node else (last,):
        model.graph.remove(dead, safe=True)
    return True


def _normalized(node: ir.Node) -> tuple[ir.Value, float] | None:
    """x and epsilon where ``node`` is deviation / std, or deviation * (1 / std)."""
    for numerator, denominator in ((0, 1), (1, 0)):
        if node.op_type == "Div" and numerator:
            break
        deviation, std = node.inputs[numerator], node.inputs[denominator]
        if node.op_type == "Mul":
            inverse = std.producer() if std is not None else None
            if not is_op(inverse, "Reciprocal") or inverse is None:
                continue
            std = inverse.inputs[0]
        x = _deviation(deviation)
        root = std.producer() if std is not None else None
        if x is None or root is None or not is_op(root, "Sqrt") or root.inputs[0] is None:
            continue
        total = root.inputs[0].producer()
        if total is None or not is_op(total, "Add"):
            continue
        for variance, eps in ((total.inputs[0], total.inputs[1]), (total.inputs[1], total.inputs[0])):
            number = scalar(eps)
            if number is not None and _variance_of(variance, x):
                return x, number
    return None


def _deviation(value: ir.Value | None) -> ir.Value | None:
    """x where ``value`` is x - mean(x) over the last axis."""
    sub = value.producer() if value is not None else None
    if sub is None or not is_op(sub, "Sub") or sub.inputs[1] is None:
        return None
    mean = sub.inputs[1].producer()
    return sub.inputs[0] if mean is not None and _mean_of(mean) is sub.inputs[0] else None


def _variance_of(value: ir.Value | None, x: ir.Value) -> bool:
    """True where ``value`` is the mean of (x - mean(x)) squared; exporters often compute the deviation twice."""
    mean = value.producer() if value is not None else None
    squared = _mean_of(mean) if mean is not None else None
    node = squared.producer() if squared is not None else None
    if node is None:
        return False
    if is_op(node, "Pow"):
        return scalar(node.inputs[1]) == 2 and _deviation(node.inputs[0]) is x
    return is_op(node, "Mul") and node.inputs[0] is node.inputs[1] and _deviation(node.inputs[0]) is x


def _mean_of(node: ir.Node) -> ir.Value | None:
    """What a ReduceMean over the last axis, dimension kept, is the mean of."""
    if not is_op(node, "ReduceMean") or node.inputs[0] is None:
        return None
    keep = node.attributes.get("keepdims")
    if keep is not None and not keep.as_int():
        return None
    attribute = node.attributes.get("axes")
    axes = constant(node.inputs[1]) if len(node.inputs) > 1 else None
    listed = list(attribute.as_ints()) if attribute is not None else [] if axes is None else axes.tolist()
    shape = node.inputs[0].shape
    return node.inputs[0] if listed == [-1] or (shape is not None and listed == [len(shape) - 1]) else None


def _vector_operand(node: ir.Node | None, op: str, known: ir.Value) -> np.ndarray | None:
    """The constant vector that ``node`` (an ``op``) combines with ``known``; None where it is anything else."""
    if node is None or not is_op(node, op):
        return None
    array = constant(node.inputs[1] if node.inputs[0] is known else node.inputs[0])
    # a vector of one element is a scalar that broadcasts, not a normalization over one element
    return array if array is not None and array.ndim == 1 and array.size > 1 else None
