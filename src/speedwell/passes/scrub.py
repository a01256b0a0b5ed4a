"""Take out of an ONNX file what says where and how it was made: paths, stack traces, doc strings, metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx_ir as ir

__all__ = ["scrub"]


def scrub(model: ir.Model, name: str = "speedwell") -> None:
    """Clear metadata and doc strings of the model, its graphs, nodes, values and functions, in place.

    The exporter writes stack traces with local paths into them; a bundle must not carry them (security.md B6).
    """
    import onnx_ir as ir
    from onnx_ir.passes import common

    common.ClearMetadataAndDocStringPass()(model)
    model.metadata_props.clear()
    model.doc_string = None
    model.graph.name = name
    for value in (*model.graph.inputs, *model.graph.outputs, *model.graph.initializers.values()):
        value.metadata_props.clear()
        value.doc_string = None
    for node in model.graph.all_nodes():
        for output in node.outputs:
            output.metadata_props.clear()
            output.doc_string = None
    for value in model.graph.initializers.values():
        tensor = value.const_value
        if tensor is not None and (tensor.doc_string or tensor.metadata_props):
            # a tensor read from a file keeps its words: write its numbers into a new one
            value.const_value = ir.tensor(tensor.numpy(), name=value.name)
