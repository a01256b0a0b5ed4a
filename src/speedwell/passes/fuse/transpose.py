"""Two Transposes in a row become one, and none where they cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..graph import is_op

if TYPE_CHECKING:
    import onnx_ir as ir

__all__ = ["rewrite"]


def rewrite(model: ir.Model) -> int:
    """Compose Transpose(Transpose(x)); ``identity`` removes what became the identity. Returns how many were joined."""
    import onnx_ir as ir

    count = 0
    for node in model.graph:
        inner = node.inputs[0].producer() if is_op(node, "Transpose") and node.inputs[0] is not None else None
        if inner is None or not is_op(inner, "Transpose"):
            continue
        second, first = node.attributes.get("perm"), inner.attributes.get("perm")
        if first is None or second is None:
            continue
        outer = list(second.as_ints())
        node.attributes["perm"] = ir.AttrInt64s("perm", [list(first.as_ints())[i] for i in outer])
        node.replace_input_with(0, inner.inputs[0])
        count += 1
    return count
