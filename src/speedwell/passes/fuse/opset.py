"""Raise an old graph to the operator set that has LayerNormalization and Gelu, where the converter can."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..graph import opset
from ..quiet import quiet

if TYPE_CHECKING:
    import onnx_ir as ir

__all__ = ["TARGET", "raised"]

TARGET = 20


def raised(model: ir.Model) -> ir.Model:
    """A copy at ``TARGET``; ``model`` itself where it is there already or where onnx cannot convert it (an operator
    of another domain, one without a converter): the graph is valid as it is, only fewer rewrites apply.
    """
    import onnx
    import onnx_ir as ir
    from onnx import version_converter

    if opset(model) >= TARGET:
        return model
    with quiet():
        try:
            return ir.serde.deserialize_model(
                version_converter.convert_version(ir.serde.serialize_model(model), TARGET)
            )
        except (RuntimeError, ValueError, onnx.checker.ValidationError, version_converter.ConvertError):
            return model
