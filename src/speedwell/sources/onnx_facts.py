"""What an ONNX graph says of itself: its tensors, whether it is quantized, and what its preprocessing may be."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import Signature, TensorSpec
from ..core.errors import UnsupportedModelError

if TYPE_CHECKING:
    import onnx

__all__ = ["all_nodes", "hints_of", "refuse_custom", "signature_of", "traits_of"]

DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
"""Operator sets that ONNX Runtime brings; anything else needs a custom-op library, which is code."""
STATIC = ("QuantizeLinear", "QLinearConv", "QLinearMatMul", "QLinearAdd", "QGemm", "QLinearGlobalAveragePool")
DYNAMIC = ("DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM", "MatMulIntegerToFloat")
INTEGER = ("ConvInteger", "MatMulInteger", "QAttention")
CLASS_KEYS = ("classes", "class_names", "labels", "names", "id2label", "categories")
METADATA_BYTES = 1 << 20


def all_nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """Every node, those of subgraphs and functions too."""
    yield from _nodes(model.graph.node)
    for function in model.functions:
        yield from _nodes(function.node)


def _nodes(nodes: Any) -> Iterator[onnx.NodeProto]:
    for node in nodes:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g.node)
            for graph in attribute.graphs:
                yield from _nodes(graph.node)


def refuse_custom(model: onnx.ModelProto, path: Path) -> None:
    """Raise ``UnsupportedModelError`` naming operators that neither ONNX, ONNX Runtime nor the file itself defines."""
    own = {(f.domain, f.name) for f in model.functions}
    custom = sorted(
        {f"{n.domain}::{n.op_type}" for n in all_nodes(model)
         if n.domain not in DOMAINS and (n.domain, n.op_type) not in own}
    )  # fmt: skip
    if custom:
        more = f" and {len(custom) - 8} more" if len(custom) > 8 else ""
        raise UnsupportedModelError(
            f"cannot open {path}: it needs custom operators: {', '.join(custom[:8])}{more}.",
            "Speedwell loads no custom-op library. Export the network with standard ONNX operators only.",
        )


def traits_of(model: onnx.ModelProto) -> frozenset[str]:
    """ "float", or what it is quantized to: "static-int8", "dynamic-int8", "w4"; "f16" or "bf16" by its weights."""
    import onnx

    kinds = {n.op_type for n in all_nodes(model)}
    types: dict[int, int] = {}
    for tensor in model.graph.initializer:
        types[tensor.data_type] = types.get(tensor.data_type, 0) + int(np.prod(list(tensor.dims), dtype=np.float64))
    traits: set[str] = set()
    if kinds & set(DYNAMIC) or (kinds & set(INTEGER) and "QuantizeLinear" not in kinds):
        traits.add("dynamic-int8")
    elif kinds & {*STATIC, *INTEGER}:
        traits.add("static-int8")
    if "MatMulNBits" in kinds or types.keys() & {onnx.TensorProto.INT4, onnx.TensorProto.UINT4}:
        traits.add("w4")
    if not traits and "DequantizeLinear" in kinds:
        traits.add("static-int8")  # weights in int8 alone: quantizing them once more would be wrong all the same
    halves: dict[int, str] = {onnx.TensorProto.FLOAT16: "f16", onnx.TensorProto.BFLOAT16: "bf16"}
    if types:
        most = max((t for t in types), key=lambda t: types[t])
        if most in halves:
            traits.add(halves[most])
    return frozenset(traits or {"float"})


def signature_of(model: onnx.ModelProto, path: Path) -> Signature:
    """Inputs and outputs as they stand. Raises ``UnsupportedModelError`` for what is no tensor of numbers."""
    return Signature(
        tuple(_spec(v, path, "input") for v in model.graph.input),
        tuple(_spec(v, path, "output") for v in model.graph.output),
    )


def _spec(value: onnx.ValueInfoProto, path: Path, role: str) -> TensorSpec:
    import onnx

    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        fix = "For scikit-learn classifiers convert with options={'zipmap': False}." if role == "output" else ""
        raise UnsupportedModelError(f"cannot open {path}: the {role} {value.name!r} is a {kind}, not a tensor.", fix)
    tensor = value.type.tensor_type
    try:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    except KeyError as error:
        raise UnsupportedModelError(f"cannot open {path}: the {role} {value.name!r} has no type.") from error
    if tensor.elem_type == onnx.TensorProto.STRING:
        raise UnsupportedModelError(
            f"cannot open {path}: the {role} {value.name!r} holds strings; Speedwell runs networks on numbers.",
            "Export the network without its tokenizer or label look-up.",
        )
    shape = tuple(d.dim_param if d.WhichOneof("value") == "dim_param" else int(d.dim_value) for d in tensor.shape.dim)
    return TensorSpec(value.name, str(dtype), shape)


def hints_of(model: onnx.ModelProto, signature: Signature) -> dict[str, Any]:
    """Plain JSON: ``image`` (size, layout) guessed from a rank-4 input, ``classes`` from the metadata."""
    hints: dict[str, Any] = {}
    images = [s for s in signature.inputs if len(s.shape) == 4 and s.dtype in ("float32", "float16", "uint8")]
    if len(images) == 1 and (image := _image(images[0])):
        hints["image"] = image
    metadata = {p.key.lower(): p.value for p in model.metadata_props}
    for key in CLASS_KEYS:
        if classes := _names(metadata.get(key, "")):
            hints["classes"] = classes
            break
    return hints


def _image(spec: TensorSpec) -> dict[str, Any]:
    """In the words of ``inputs.ImageTransform``; a size that is open is left out."""
    shape = spec.shape
    layout = "nchw" if shape[1] in (1, 3) else "nhwc" if shape[3] in (1, 3) else ""
    if not layout:
        return {}
    height, width, channels = (shape[2], shape[3], shape[1]) if layout == "nchw" else (shape[1], shape[2], shape[3])
    found: dict[str, Any] = {"layout": layout, "colour": "gray" if channels == 1 else "rgb", "dtype": spec.dtype}
    if isinstance(height, int) and isinstance(width, int):
        found["size"] = [height, width]
    if spec.dtype == "uint8":
        found["scale"] = 1.0
    return found


def _names(text: str) -> list[str]:
    """Class names in a JSON or Python list, in a map from number to name, or in a line with commas."""
    if not text or len(text) > METADATA_BYTES:
        return []
    value: Any = text
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(text)
            break
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    if isinstance(value, dict):
        try:
            value = [value[k] for k in sorted(value, key=int)]
        except (ValueError, TypeError):
            return []
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")] if "," in value else []
    named = isinstance(value, (list, tuple)) and all(isinstance(v, (str, int)) for v in value)
    return [str(v) for v in value] if named and len(value) > 1 else []
