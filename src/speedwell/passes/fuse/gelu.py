"""Gelu found again where an exporter wrote it out.

exact: x / 2 (1 + erf(x / sqrt 2));  tanh: x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..graph import insert_before, is_op, only_use, opset, replace_output, scalar

if TYPE_CHECKING:
    import onnx_ir as ir

__all__ = ["FIRST_OPSET", "rewrite"]

FIRST_OPSET = 20
NEAR = 1e-4
"""Relative: exporters write sqrt(2) with 5 to 17 digits."""


def rewrite(model: ir.Model) -> int:
    """Fold both patterns, the factors in any order. Returns how many were found."""
    if opset(model) < FIRST_OPSET:
        return 0
    count = 0
    for node in list(model.graph):
        if is_op(node, "Erf"):
            count += _replace(model, node, _erf_argument(node.inputs[0]), "none")
        elif is_op(node, "Tanh"):
            count += _replace(model, node, _tanh_argument(node.inputs[0]), "tanh")
    return count


def _replace(model: ir.Model, inner: ir.Node, x: ir.Value | None, approximate: str) -> bool:
    add = only_use(inner.outputs[0])
    if x is None or add is None or not is_op(add, "Add") or not _near(_other(add, inner.outputs[0]), 1.0):
        return False
    last = _product(add, x)
    if last is None:
        return False
    out = insert_before(last, "Gelu", [x], {"approximate": approximate}, name=f"{inner.name}_gelu",
                        like=last.outputs[0])  # fmt: skip
    replace_output(last.outputs[0], out)
    model.graph.remove(last, safe=True)
    return True


def _product(add: ir.Node, x: ir.Value) -> ir.Node | None:
    """The Mul that ends the product (1 + ...) * x * 0.5, whatever its order; None where it is another product."""
    have_x = have_half = False
    node = add
    while not (have_x and have_half):
        consumer = only_use(node.outputs[0])
        if consumer is None or not is_op(consumer, "Mul", "Div"):
            return None
        other = _other(consumer, node.outputs[0])
        if consumer.op_type == "Div":
            if have_half or consumer.inputs[0] is not node.outputs[0] or not _near(other, 2.0):
                return None
            have_half = True
        elif not have_half and _near(other, 0.5):
            have_half = True
        elif not have_x and other is x:
            have_x = True
        elif not have_x and not have_half and _is_half_of(other, x):
            have_x = have_half = True
        else:
            return None
        node = consumer
    return node


def _is_half_of(value: ir.Value | None, x: ir.Value) -> bool:
    node = value.producer() if value is not None else None
    if node is None or x not in node.inputs:
        return False
    if is_op(node, "Div"):
        return node.inputs[0] is x and _near(node.inputs[1], 2.0)
    return is_op(node, "Mul") and _near(_other(node, x), 0.5)


def _erf_argument(value: ir.Value | None) -> ir.Value | None:
    """x where ``value`` is x / sqrt 2."""
    node = value.producer() if value is not None else None
    if node is None:
        return None
    if is_op(node, "Div"):
        return node.inputs[0] if _near(node.inputs[1], math.sqrt(2)) else None
    return _scaled(node, math.sqrt(0.5))


def _tanh_argument(value: ir.Value | None) -> ir.Value | None:
    """x where ``value`` is sqrt(2 / pi) (x + 0.044715 x^3)."""
    outer = value.producer() if value is not None else None
    inside = _scaled(outer, math.sqrt(2 / math.pi))
    add = inside.producer() if inside is not None else None
    if add is None or not is_op(add, "Add"):
        return None
    for x, cubic in ((add.inputs[0], add.inputs[1]), (add.inputs[1], add.inputs[0])):
        cube = _scaled(cubic.producer() if cubic is not None else None, 0.044715)
        node = cube.producer() if cube is not None else None
        if node is not None and _is_cube(node, x):
            return x
    return None


def _is_cube(node: ir.Node, x: ir.Value | None) -> bool:
    if is_op(node, "Pow"):
        return node.inputs[0] is x and scalar(node.inputs[1]) == 3
    if not is_op(node, "Mul") or x not in node.inputs:
        return False
    square = _other(node, x)
    inner = square.producer() if square is not None else None
    return is_op(inner, "Mul") and inner is not None and inner.inputs[0] is x and inner.inputs[1] is x


def _scaled(node: ir.Node | None, factor: float) -> ir.Value | None:
    """The other operand of a Mul by ``factor``."""
    if node is None or not is_op(node, "Mul"):
        return None
    for value, number in ((node.inputs[0], node.inputs[1]), (node.inputs[1], node.inputs[0])):
        if _near(number, factor):
            return value
    return None


def _other(node: ir.Node, known: ir.Value | None) -> ir.Value | None:
    return node.inputs[1] if node.inputs[0] is known else node.inputs[0]


def _near(value: ir.Value | None, number: float) -> bool:
    found = scalar(value)
    return found is not None and math.isclose(found, number, rel_tol=NEAR)
