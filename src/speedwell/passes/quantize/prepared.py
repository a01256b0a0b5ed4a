"""What quantization starts from: the simplified graph, sorted, named, with shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core import Model
from ..fuse import simplified
from ..graph import infer_shapes, load, name_nodes, prune

if TYPE_CHECKING:
    import onnx_ir as ir

__all__ = ["prepared"]


def prepared(model: Model) -> ir.Model:
    """``model``'s graph; one that was not fused is simplified here, without loss.

    An exporter's unfolded weights (MatMul with a Transpose of a constant) and normalizations would else stay float.
    """
    graph = load(model.payload)
    if "fused" not in model.traits:
        graph = simplified(graph)
    prune(graph)
    name_nodes(graph)
    infer_shapes(graph)
    return graph
