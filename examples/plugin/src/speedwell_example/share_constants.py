"""``share_constants``: equal constants of an ONNX graph are stored once. Lossless; the file gets smaller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from speedwell.core import Context, Hardware, Kind, Model, Pass, Step

__all__ = ["ShareConstants"]


@dataclass(frozen=True)
class ShareConstants(Pass):
    """Constants of at least ``least_bytes`` bytes with equal type, shape and content become one."""

    least_bytes: int = 0

    name: ClassVar[str] = "share_constants"
    takes: ClassVar[Kind] = Kind("onnx", needs=frozenset({"float"}))
    gives: ClassVar[Kind] = Kind("onnx", needs=frozenset({"float"}))
    lossless: ClassVar[bool] = True

    @classmethod
    def choices(cls, model: Model, hardware: Hardware) -> tuple[Step, ...]:  # noqa: ARG003 - the contract
        return (Step(cls.name),) if model.form == "onnx" else ()

    def apply(self, model: Model, context: Context) -> Model:
        import onnx  # heavy libraries are imported where they are used

        proto = onnx.load(model.payload)
        graph, first, renamed, kept = proto.graph, {}, {}, []
        outputs = {value.name for value in graph.output}
        for tensor in graph.initializer:
            content = onnx.numpy_helper.to_array(tensor)
            key = (tensor.data_type, tuple(tensor.dims), content.tobytes())
            if content.nbytes >= self.least_bytes and key in first and tensor.name not in outputs:
                renamed[tensor.name] = first[key]
            else:
                first.setdefault(key, tensor.name)
                kept.append(tensor)
        del graph.initializer[:]
        graph.initializer.extend(kept)
        _rename(graph, renamed)
        payload = context.scratch / "share_constants.onnx"
        context.scratch.mkdir(parents=True, exist_ok=True)
        payload.write_bytes(proto.SerializeToString(deterministic=True))
        return Model.of("onnx", payload, model.signature, model.origin, model.traits)


def _rename(graph: Any, renamed: Mapping[str, str]) -> None:
    """In every node's inputs, and in the graphs inside nodes."""
    for node in graph.node:
        names = [renamed.get(name, name) for name in node.input]
        del node.input[:]
        node.input.extend(names)
        for attribute in node.attribute:
            for inner in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs):
                _rename(inner, renamed)
