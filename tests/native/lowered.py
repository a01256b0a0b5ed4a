"""Lower a graph, read the plan back, run both: ONNX Runtime without optimizations, and ours where it is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

from speedwell.native import LowerOptions, Plan, PlanFacts, Session, available, lower
from speedwell.native.plan import Operator

BUILT = available()[0]


@dataclass(frozen=True, eq=False)
class Lowered:
    """``error``: the largest difference of any output, relative to the largest number there (0 where not built)."""

    plan: Plan
    facts: PlanFacts
    error: float

    @property
    def kinds(self) -> list[str]:
        return sorted(operator.kind for operator in self.plan.operators)

    def one(self, kind: str) -> Operator:
        (found,) = (operator for operator in self.plan.operators if operator.kind == kind)
        return found


def model_of(text: str, opset: int = 20, **weights: np.ndarray) -> onnx.ModelProto:
    """A model of the graph's text; a weight is an initializer of that name."""
    proto = onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["" : {opset}]>\n{text}')
    proto.graph.initializer.extend(numpy_helper.from_array(np.asarray(a), n) for n, a in weights.items())
    onnx.checker.check_model(proto, full_check=True)
    return proto


def lowered(
    proto: onnx.ModelProto | Path, feeds: Mapping[str, np.ndarray], folder: Path, options: LowerOptions | None = None
) -> Lowered:
    """Both engines answer ``feeds``; shapes and types must agree exactly."""
    if isinstance(proto, onnx.ModelProto):
        path = folder / "model.onnx"
        onnx.save(proto, path)
    else:
        path = proto
    facts = lower(path, folder / "plan", options or LowerOptions())
    plan = read_plan(folder / "plan")
    if not BUILT:
        return Lowered(plan, facts, 0.0)
    want = reference(path, feeds)
    got = Session(folder / "plan").run(feeds)
    error = 0.0
    for name, array in want.items():
        assert got[name].shape == array.shape
        assert got[name].dtype == array.dtype
        if array.dtype == np.float32:
            np.testing.assert_array_equal(np.isnan(got[name]), np.isnan(array))
            gap = np.abs(np.nan_to_num(got[name]) - np.nan_to_num(array)).max(initial=0)
            error = max(error, float(gap) / max(float(np.abs(np.nan_to_num(array)).max(initial=0)), 1e-6))
        else:
            np.testing.assert_array_equal(got[name], array)
    return Lowered(plan, facts, error)


def read_plan(folder: Path) -> Plan:
    import json

    return Plan.from_json(json.loads((folder / "plan.json").read_text()))


def reference(path: Path, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(feeds)), strict=True))


def normal(*shape: int, seed: int = 0, spread: float = 1.0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).normal(0, spread, shape).astype(np.float32)


def integers(*shape: int, seed: int = 0, reach: int = 63) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).integers(-reach, reach + 1, shape).astype(np.int8)
