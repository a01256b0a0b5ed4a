"""Bring a checked ONNX graph into one shape: known symbol names, no functions, no leftovers, opset 13 or later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import BATCH, SEQUENCE, Dim

if TYPE_CHECKING:
    import onnx

__all__ = ["OLDEST", "inline_functions", "name_dimensions", "scrub", "upgrade"]

OLDEST = 13
"""Per-channel QuantizeLinear came with opset 13."""
PROBE = {BATCH: 2, SEQUENCE: 8}


def inline_functions(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network without model-local functions."""
    import onnx.inliner

    return onnx.inliner.inline_local_functions(model) if model.functions else model


def name_dimensions(model: onnx.ModelProto) -> None:
    """Give every open dimension of inputs and outputs its name, in place; old value infos go.

    Open means without a value or with one below 1. Dimension 0 is "batch"; dimension 1 of a rank-2 integer input is
    "sequence"; height and width of an image are so named where they have no name; others keep theirs or are called
    after their tensor. Weights that are listed as inputs too (IR version 3) are inputs no more.
    """
    import onnx

    graph = model.graph
    weights = {t.name for t in graph.initializer}
    inputs = [v for v in graph.input if v.name not in weights]
    if len(inputs) != len(graph.input):
        del graph.input[:]
        graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, 4)
    renamed: dict[str, str] = {}
    for value in graph.input:
        dims = value.type.tensor_type.shape.dim
        text = len(dims) == 2 and value.type.tensor_type.elem_type in (onnx.TensorProto.INT64, onnx.TensorProto.INT32)
        sides = _sides(value)
        for axis, dim in enumerate(dims):
            if not _is_open(dim):
                continue
            old = dim.dim_param
            new = BATCH if axis == 0 else SEQUENCE if text and axis == 1 else old or sides.get(axis)
            dim.dim_param = new or f"{value.name}_{axis}"
            if old:
                renamed.setdefault(old, dim.dim_param)
    batched = any(v.type.tensor_type.shape.dim and v.type.tensor_type.shape.dim[0].dim_param == BATCH
                  for v in graph.input)  # fmt: skip
    for value in graph.output:
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if not _is_open(dim):
                continue
            old = renamed.get(dim.dim_param, dim.dim_param)
            dim.dim_param = BATCH if axis == 0 and batched else old or f"{value.name}_{axis}"
    del graph.value_info[:]


def _is_open(dim: Any) -> bool:
    return bool(dim.WhichOneof("value") != "dim_value" or dim.dim_value < 1)


def _sides(value: onnx.ValueInfoProto) -> dict[int, str]:
    dims = value.type.tensor_type.shape.dim
    if len(dims) != 4:
        return {}
    return {1: "height", 2: "width"} if dims[3].dim_value in (1, 3) else {2: "height", 3: "width"}


def upgrade(model: onnx.ModelProto) -> tuple[onnx.ModelProto, str]:
    """The model at opset ``OLDEST`` or later, and a note: "" where it was, else what was done or why not.

    A conversion counts only where ONNX Runtime, without optimizations, gives the same outputs before and after.
    """
    import onnx
    import onnx.version_converter

    current = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), OLDEST)
    if current >= OLDEST:
        return model, ""
    try:
        newer = onnx.version_converter.convert_version(model, OLDEST)
        onnx.checker.check_model(newer)
    # the converter raises whatever its C++ adapters do (RuntimeError, ConvertError); the old model still works
    except Exception as error:
        return model, f"kept opset {current}: {_line(error)}"
    try:
        before, after = _run(model), _run(newer)
    # ONNX Runtime's exceptions share no root but Exception
    except Exception as error:
        return model, f"kept opset {current}: the two could not be compared, {_line(error)}"
    if len(before) != len(after) or not all(
        a.shape == b.shape and np.allclose(a, b, rtol=1e-4, atol=1e-5, equal_nan=True)
        for a, b in zip(before, after, strict=True)
    ):
        return model, f"kept opset {current}: converted to {OLDEST} it answers differently"
    return newer, f"opset {current} became {OLDEST}"


def _run(model: onnx.ModelProto) -> list[np.ndarray]:
    """Outputs on one fixed random input; open dimensions are small, images 32 to a side, integers 0."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    import onnx

    rng = np.random.default_rng(0)
    feed = {}
    for value in model.graph.input:
        tensor = value.type.tensor_type
        shape = [_bound(d.dim_param or d.dim_value) for d in tensor.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        floating = np.issubdtype(dtype, np.floating)
        feed[value.name] = (rng.standard_normal(shape) if floating else np.zeros(shape)).astype(dtype)
    return [np.asarray(o) for o in session.run(None, feed)]


def _bound(dim: Dim) -> int:
    return dim if isinstance(dim, int) else PROBE.get(dim, 32)


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]


def scrub(model: onnx.ModelProto) -> None:
    """Clear doc strings and metadata everywhere, in place: exporters write local paths into them."""
    model.doc_string = ""
    model.domain = ""
    for field in ("metadata_props", "training_info"):
        del getattr(model, field)[:]
    _scrub_graph(model.graph)
    for function in model.functions:
        _clear(function)
        for node in function.node:
            _scrub_node(node)
        for value in function.value_info:
            _clear(value)


def _scrub_graph(graph: onnx.GraphProto) -> None:
    _clear(graph)
    graph.name = "network"
    del graph.quantization_annotation[:]
    for item in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        _clear(item)
    for sparse in graph.sparse_initializer:
        _clear(sparse.values)
        _clear(sparse.indices)
    for node in graph.node:
        _scrub_node(node)


def _scrub_node(node: onnx.NodeProto) -> None:
    _clear(node)
    for attribute in node.attribute:
        attribute.doc_string = ""
        if attribute.HasField("t"):
            _clear(attribute.t)
        for tensor in attribute.tensors:
            _clear(tensor)
        for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            _scrub_graph(graph)


def _clear(item: Any) -> None:
    item.doc_string = ""
    # metadata on graphs, nodes, values and tensors came with onnx 1.16
    if "metadata_props" in item.DESCRIPTOR.fields_by_name:
        del item.metadata_props[:]
