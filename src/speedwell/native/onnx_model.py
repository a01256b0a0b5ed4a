"""Open an ONNX file for the lowering: functions inlined, opset 20 or later, types inferred, large weights set apart.

Weights are taken out before anything else looks at the model, so that inlining, converting and inferring move
kilobytes instead of the whole file, and a model above protobuf's 2 GiB passes through them as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import EngineError, UnsupportedError

if TYPE_CHECKING:
    import onnx

__all__ = ["FIRST_OPSET", "LAST_OPSET", "OnnxModel", "open_onnx"]

FIRST_OPSET, LAST_OPSET = 20, 24
"""Operators mean the same in this range; an older file is raised to the first."""
NBITS = ("com.microsoft", "MatMulNBits")
"""The one operator of ONNX Runtime's own that a plan can say (int4_gemm.py)."""
SMALL = 1024
"""Elements: constants up to this stay in the model, because shape inference reads shapes and axes from them."""


@dataclass(frozen=True, eq=False)
class OnnxModel:
    """``proto``: one flat graph of the default domain, its types inferred. ``weights``: the large constants by name.
    ``metadata``: the file's own.
    """

    proto: onnx.ModelProto
    weights: dict[str, np.ndarray]
    metadata: dict[str, str]


def open_onnx(path: Path) -> OnnxModel:
    """Raises ``EngineError`` where the file cannot be read, ``UnsupportedError`` for what no plan can say."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        proto = onnx.load(path)
    except (DecodeError, OSError, ValueError, onnx.checker.ValidationError) as error:
        raise EngineError(f"cannot read {path} as ONNX: {error}", "Export the model again.") from error
    metadata = {entry.key: entry.value for entry in proto.metadata_props}
    try:
        weights = _set_apart(proto)
        proto = _raised(_inlined(proto))
        del proto.graph.value_info[:]  # what a file says of its inner shapes may be out of date
        _say_types(proto.graph)
        proto = onnx.shape_inference.infer_shapes(proto, data_prop=True)
    except (RuntimeError, ValueError, TypeError) as error:  # onnx's own words for an inconsistent graph
        raise EngineError(f"onnx finds a fault in {path}: {error}", "Export the model again.") from error
    return OnnxModel(proto, weights, metadata)


def _set_apart(proto: onnx.ModelProto) -> dict[str, np.ndarray]:
    """Turn large initializers into inputs of the graph; their arrays by name."""
    import onnx

    graph = proto.graph
    if graph.sparse_initializer:
        raise UnsupportedError("unsupported: sparse initializers", "Store the weights dense.")
    declared = {i.name for i in graph.input}
    weights, small = {}, []
    for tensor in graph.initializer:
        if int(np.prod(tensor.dims, dtype=np.float64)) <= SMALL:
            small.append(tensor)
            continue
        weights[tensor.name] = onnx.numpy_helper.to_array(tensor)
        if tensor.name not in declared:
            graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
    kept = [onnx.TensorProto.FromString(t.SerializeToString()) for t in small]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    return weights


def _inlined(proto: onnx.ModelProto) -> onnx.ModelProto:
    import onnx
    from onnx import inliner

    if proto.functions:
        proto = inliner.inline_local_functions(proto)
    found: set[str] = set()
    for node in proto.graph.node:
        if node.domain not in ("", "ai.onnx") and (node.domain, node.op_type) != NBITS:
            found.add(f"{node.domain}.{node.op_type}")
        elif any(a.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for a in node.attribute):
            found.add(node.op_type)
    if found:
        raise UnsupportedError(f"unsupported: {', '.join(sorted(found))}")
    return proto


def _say_types(graph: onnx.GraphProto) -> None:
    """onnx cannot infer what it does not know: a MatMulNBits makes what its scales are."""
    import onnx

    types = {t.name: t.data_type for t in graph.initializer} | {
        i.name: i.type.tensor_type.elem_type for i in graph.input
    }
    outputs = {info.name for info in graph.output}
    for node in graph.node:
        if (node.domain, node.op_type) == NBITS and len(node.input) > 2 and node.output[0] not in outputs:
            kind = types.get(node.input[2], onnx.TensorProto.UNDEFINED)
            graph.value_info.append(onnx.helper.make_tensor_value_info(node.output[0], kind, None))


def _raised(proto: onnx.ModelProto) -> onnx.ModelProto:
    from onnx import version_converter

    opset = next((o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), 1)
    if opset > LAST_OPSET:
        raise UnsupportedError(f"unsupported: opset {opset}", f"Export the model with an opset up to {LAST_OPSET}.")
    if opset >= FIRST_OPSET:
        return proto
    try:
        return version_converter.convert_version(proto, FIRST_OPSET)
    except (RuntimeError, version_converter.ConvertError) as error:
        raise UnsupportedError(
            f"unsupported: opset {opset}, which onnx cannot raise to {FIRST_OPSET}: {error}",
            f"Export the model with opset {FIRST_OPSET}.",
        ) from error
