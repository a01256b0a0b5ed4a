"""ONNX graphs in memory: the few operations on onnx-ir that every ONNX pass shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import Model

if TYPE_CHECKING:
    import numpy.typing as npt
    import onnx_ir as ir

__all__ = [
    "ONE_FILE_BYTES",
    "constant",
    "infer_shapes",
    "initializer",
    "insert_before",
    "insert_node_before",
    "is_op",
    "load",
    "name_nodes",
    "only_use",
    "opset",
    "prune",
    "replace_output",
    "save",
    "scalar",
]

ONE_FILE_BYTES = 1_900_000_000
"""Above this the weights go into ``<name>.data`` beside the model: protobuf stops at 2 GiB."""


def load(path: Path) -> ir.Model:
    """The model at ``path``, its weights in memory (so that the file is never written through)."""
    import onnx_ir as ir

    model = ir.load(path)
    ir.external_data.load_to_model(model)
    name_nodes(model)
    return model


def name_nodes(model: ir.Model) -> None:
    """Give every node of the main graph a unique, non-empty name: passes point at nodes by name."""
    taken: set[str] = set()
    for i, node in enumerate(model.graph):
        name = node.name or f"{node.op_type}_{i}"
        while name in taken:
            name = f"{name}_{i}"
        taken.add(name)
        node.name = name


def save(model: ir.Model, before: Model, folder: Path, name: str, *, add: Sequence[str], drop: Sequence[str]) -> Model:
    """Write ``model`` as ``folder/name.onnx`` and make the record: ``before``'s, with traits added and dropped."""
    import onnx_ir as ir

    prune(model)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.onnx"
    size = sum(v.const_value.nbytes for v in model.graph.initializers.values() if v.const_value is not None)
    if size > ONE_FILE_BYTES:
        ir.save(model, path, external_data=f"{path.name}.data")
    else:
        ir.save(model, path)
    traits = (before.traits | frozenset(add)) - frozenset(drop)
    return Model.of("onnx", path, before.signature, before.origin, traits)


def prune(model: ir.Model) -> None:
    """Remove nodes and weights that no output needs, and put the nodes in topological order."""
    from onnx_ir.passes import common

    common.RemoveUnusedNodesPass()(model)
    model.graph.sort()


def infer_shapes(model: ir.Model) -> None:
    """Fill in what onnx's shape inference finds; a node it cannot infer keeps an unknown shape."""
    from onnx_ir.passes import common

    common.ShapeInferencePass(check_type=False, strict_mode=False, data_prop=True)(model)


def opset(model: ir.Model) -> int:
    """The version of the default operator set."""
    return int(model.opset_imports.get("", 0))


def is_op(node: ir.Node | None, *names: str) -> bool:
    """True for a node of the default domain whose operator is one of ``names``."""
    return node is not None and node.domain in ("", "ai.onnx") and node.op_type in names


def constant(value: ir.Value | None) -> np.ndarray | None:
    """The array of an initializer or of a Constant node; None for anything computed."""
    if value is None or value.is_graph_input():
        return None
    if value.const_value is not None:
        return np.asarray(value.const_value.numpy())
    node = value.producer()
    if is_op(node, "Constant") and node is not None:
        attribute = node.attributes.get("value")
        if attribute is not None:
            return np.asarray(attribute.as_tensor().numpy())
        for key, kind in (("value_float", np.float32), ("value_int", np.int64), ("value_floats", np.float32),
                          ("value_ints", np.int64)):  # fmt: skip
            if (attribute := node.attributes.get(key)) is not None:
                return np.asarray(attribute.value, dtype=kind)
    return None


def scalar(value: ir.Value | None) -> float | None:
    """The number in a one-element constant, else None."""
    array = constant(value)
    return float(array.reshape(-1)[0]) if array is not None and array.size == 1 else None


def initializer(model: ir.Model, name: str, array: npt.ArrayLike) -> ir.Value:
    """A new weight with a name that is free, registered in the graph."""
    import onnx_ir as ir

    unique, i = name, 0
    while unique in model.graph.initializers:
        i += 1
        unique = f"{name}_{i}"
    tensor = ir.tensor(np.asarray(array, order="C"), name=unique)  # ascontiguousarray would make 0-d 1-d
    value = ir.Value(
        name=unique, shape=ir.Shape(tensor.numpy().shape), type=ir.TensorType(tensor.dtype), const_value=tensor
    )
    model.graph.register_initializer(value)
    return value


def insert_node_before(
    anchor: ir.Node,
    op_type: str,
    inputs: Sequence[ir.Value | None],
    attributes: Mapping[str, Any] | None = None,
    *,
    name: str | None = None,
    outputs: int = 1,
) -> ir.Node:
    """A new node of the default domain in front of ``anchor``."""
    import onnx_ir as ir

    node = ir.node(op_type, list(inputs), attributes=dict(attributes or {}), num_outputs=outputs, name=name)
    graph = anchor.graph
    assert graph is not None
    graph.insert_before(anchor, node)
    return node


def insert_before(
    anchor: ir.Node,
    op_type: str,
    inputs: Sequence[ir.Value | None],
    attributes: Mapping[str, Any] | None = None,
    *,
    name: str | None = None,
    like: ir.Value | None = None,
) -> ir.Value:
    """As ``insert_node_before``, giving the one output; ``like`` lends it its shape and type."""
    value = insert_node_before(anchor, op_type, inputs, attributes, name=name).outputs[0]
    if name is not None:
        value.name = f"{name}_out"
    if like is not None:
        value.shape, value.type = like.shape, like.type
    return value


def replace_output(old: ir.Value, new: ir.Value) -> None:
    """Every use of ``old`` takes ``new``; where ``old`` is an output of the network, ``new`` takes over its name."""
    if old.is_graph_output():
        name = old.name
        old.replace_all_uses_with(new, replace_graph_outputs=True)
        old.name = f"{name}_before"
        new.name = name
        if new.shape is None:
            new.shape = old.shape
        if new.type is None:
            new.type = old.type
    else:
        old.replace_all_uses_with(new)


def only_use(value: ir.Value) -> ir.Node | None:
    """The one node that reads ``value``; None where several do or where it is an output of the network."""
    uses = list(value.uses())
    return uses[0].node if len(uses) == 1 and not value.is_graph_output() else None
