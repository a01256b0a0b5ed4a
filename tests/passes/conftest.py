"""Graphs written as text, rewritten, and compared number by number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from speedwell.passes import reference
from speedwell.passes.graph import infer_shapes, name_nodes, prune


@dataclass(eq=False)
class Rewritten:
    """``found``: what the rewrite returned. ``before`` and ``after``: operator names in order."""

    found: int
    model: ir.Model
    before: list[str]
    after: list[str]
    attributes: dict[str, object]
    error: float


def outputs_of(proto: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    return reference.session(proto.SerializeToString()).run(None, feeds)


@pytest.fixture
def model_of() -> Callable[..., onnx.ModelProto]:
    """(graph text, opset=20, **weights) -> ModelProto; a weight is an initializer of that name."""

    def make(text: str, opset: int = 20, **weights: np.ndarray) -> onnx.ModelProto:
        proto = onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["" : {opset}]>\n{text}')
        proto.graph.initializer.extend(onnx.numpy_helper.from_array(np.asarray(a), n) for n, a in weights.items())
        onnx.checker.check_model(proto, full_check=True)
        return proto

    return make


@pytest.fixture
def rewritten() -> Callable[..., Rewritten]:
    """(rewrite, proto, feeds) -> what became of it, both versions run on the same inputs."""

    def run(rewrite: Callable[[ir.Model], int], proto: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> Rewritten:
        want = outputs_of(proto, feeds)
        model = ir.serde.deserialize_model(proto)
        name_nodes(model)
        infer_shapes(model)
        found = rewrite(model)
        prune(model)
        after = ir.serde.serialize_model(model)
        onnx.checker.check_model(after, full_check=True)
        assert [o.name for o in after.graph.output] == [o.name for o in proto.graph.output]
        got = outputs_of(after, feeds)
        assert [a.shape for a in got] == [a.shape for a in want]
        error = max(float(np.abs(a - b).max()) for a, b in zip(want, got, strict=True))
        attributes = {a.name: onnx.helper.get_attribute_value(a) for n in after.graph.node for a in n.attribute}
        return Rewritten(found, model, [n.op_type for n in proto.graph.node], [n.op_type for n in after.graph.node],
                         attributes, error)  # fmt: skip

    return run


@pytest.fixture
def normal() -> Callable[..., np.ndarray]:
    """(shape...) -> standard normal float32, the same each time."""
    rng = np.random.default_rng(5)
    return lambda *shape: rng.standard_normal(shape).astype(np.float32)
