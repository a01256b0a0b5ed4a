"""From ONNX to the lowering's graph, one operator for one node."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .graph import Graph, Operator
from .onnx_model import open_onnx
from .sizes import Shape, Size, symbol

if TYPE_CHECKING:
    import onnx

__all__ = ["DTYPES", "read"]

DTYPES = frozenset({"float32", "uint8", "int8", "int32", "int64", "bool"})
"""Element types that a plan carries."""


def read(path: Path) -> Graph:
    """The graph of the ONNX file at ``path``. Errors: as ``open_onnx``'s."""
    model = open_onnx(path)
    proto, graph, values = model.proto.graph, Graph(), {}
    graph.metadata = model.metadata
    arrays = model.weights | {t.name: _array(t) for t in proto.initializer}
    for info in proto.input:
        if info.name not in arrays:
            values[info.name] = graph.value(info.name, *_type(info))
            graph.inputs.append(values[info.name])
    for name, array in arrays.items():
        values[name] = graph.constant(name, array)
    known = {info.name: info for info in (*proto.value_info, *proto.output)}
    for i, node in enumerate(proto.node):
        attributes = {a.name: _attribute(a) for a in node.attribute}
        if node.op_type == "Constant":
            values[node.output[0]] = graph.constant(node.output[0], _constant(attributes))
            continue
        for name in node.output:
            if name:
                values[name] = graph.value(name, *(_type(known[name]) if name in known else ()))
        outputs = [values[name] if name else None for name in node.output]
        # near wants an operator; the first of all stands beside itself
        made = Operator(node.op_type, "", [], [], {}, float(i))
        graph.add(
            node.op_type, [values[name] if name else None for name in node.input], attributes,
            near=made, name=node.name or f"{node.op_type}_{i}", outputs=outputs,
        )  # fmt: skip
    for info in proto.output:
        graph.outputs.append((info.name, values[info.name]))
        values[info.name].exposed = True
    return graph


def _array(tensor: onnx.TensorProto) -> np.ndarray:
    import onnx

    return np.asarray(onnx.numpy_helper.to_array(tensor))


def _type(info: onnx.ValueInfoProto) -> tuple[str, Shape | None]:
    """numpy's name of the element type ("" where it has none) and the shape; a size without a name gets one."""
    import onnx

    tensor = info.type.tensor_type
    if not info.type.HasField("tensor_type"):
        kind = info.type.WhichOneof("value")
        return (str(kind).removesuffix("_type") if kind else ""), None
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name if tensor.elem_type else ""
    if tensor.elem_type == onnx.TensorProto.STRING:
        dtype = "string"
    if not tensor.HasField("shape"):
        return dtype, None
    sizes: list[Size] = []
    for axis, dim in enumerate(tensor.shape.dim):
        if dim.HasField("dim_value"):
            sizes.append(int(dim.dim_value))
        else:
            sizes.append(symbol(dim.dim_param or f"{info.name}.{axis}"))
    return dtype, tuple(sizes)


def _attribute(attribute: onnx.AttributeProto) -> Any:
    """Plain Python: a number, a string, a list of them, or an array."""
    import onnx

    value = onnx.helper.get_attribute_value(attribute)
    if attribute.type == onnx.AttributeProto.TENSOR:
        return _array(value)
    if attribute.type == onnx.AttributeProto.STRING:
        return value.decode()
    if attribute.type == onnx.AttributeProto.STRINGS:
        return [text.decode() for text in value]
    if attribute.type in (onnx.AttributeProto.INTS, onnx.AttributeProto.FLOATS):
        return list(value)
    return value


def _constant(attributes: dict[str, Any]) -> np.ndarray:
    ((name, value),) = attributes.items()
    kind = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}
    return np.asarray(value, kind.get(name))
