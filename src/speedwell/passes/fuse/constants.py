"""Compute once what does not depend on the inputs: constant folding with a bound on what it may add to the file."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..graph import constant, is_op
from ..quiet import quiet

if TYPE_CHECKING:
    import onnx_ir as ir

__all__ = ["LARGEST", "rewrite"]

LARGEST = 1 << 16
"""Elements: a folded constant larger than its own inputs together and than this stays computed (Expand, Tile, ...)."""
SAME_SIZE = (
    "Add", "Cast", "Div", "Flatten", "Mul", "Neg", "Pow", "Reciprocal", "Reshape", "Slice", "Sqrt", "Squeeze", "Sub",
    "Transpose", "Unsqueeze",
)  # fmt: skip
"""Operators whose result is no larger than their inputs: always folded, a 100 MB transposed weight included."""


def rewrite(model: ir.Model) -> int:
    """Fold, then merge equal weights and equal computations. Returns how many nodes went."""
    from onnx_ir.passes import common
    from onnxscript import optimizer

    before = model.graph.num_nodes()
    with quiet():
        optimizer.inline(model)
        optimizer.fold_constants(
            model, input_size_limit=LARGEST, output_size_limit=LARGEST, should_fold=_always, onnx_shape_inference=True
        )
        common.RemoveUnusedNodesPass()(model)
        common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
        common.DeduplicateInitializersPass(size_limit=LARGEST)(model)
        common.CommonSubexpressionEliminationPass()(model)
    return max(0, before - model.graph.num_nodes())


def _always(node: ir.Node) -> bool | None:
    if is_op(node, "ConstantOfShape"):
        # exporters pad with these; the folder's own rule leaves them alone, whatever their size
        shape = constant(node.inputs[0])
        return shape is not None and math.prod(shape.tolist()) <= LARGEST
    if not is_op(node, *SAME_SIZE):
        return None
    arrays = [constant(v) for v in node.inputs if v is not None]
    if not arrays or any(a is None for a in arrays):
        return None
    known = node.outputs[0].shape
    if known is not None and known.is_static():
        # a broadcast can still blow up: [n, 1] + [1, m]
        size = math.prod(known.numpy())
        return size <= max(LARGEST, sum(a.size for a in arrays if a is not None))
    return True if node.op_type not in ("Add", "Div", "Mul", "Pow", "Sub") else None
