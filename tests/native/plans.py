"""Plans for tests: one operator, or a few in a row, run by the native executor and by ONNX's reference evaluator."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from speedwell.native import Session, write_plan

# Inputs that say shapes or axes: a plan carries them as constants.
SHAPING = {
    "Reshape": {1}, "Squeeze": {1}, "Unsqueeze": {1}, "Split": {1}, "Slice": {1, 2, 3, 4}, "Expand": {1}, "Tile": {1},
    "Range": {0, 1, 2}, "ConstantOfShape": {0}, "Pad": {1, 3}, "OneHot": {1}, "TopK": {1},
    **{f"Reduce{how}": {1} for how in ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "SumSquare")},
}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One operator over named values; "" leaves an input or output out."""

    kind: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    attributes: Mapping[str, Any] = field(default_factory=dict)


def run_steps(
    steps: Sequence[Step], feeds: Mapping[str, np.ndarray], constants: Mapping[str, np.ndarray],
    outputs: Sequence[str], threads: int = 1, isa: str = "",
) -> list[np.ndarray]:  # fmt: skip
    """The outputs of a plan of those steps, run once."""
    numbers: dict[str, int] = {}
    for name in (*feeds, *constants, *(name for step in steps for name in step.outputs)):
        if name:
            numbers.setdefault(name, len(numbers))
    plan = {
        "format": "speedwell-plan",
        "version": 1,
        "values": len(numbers),
        "inputs": [
            {"name": name, "value": numbers[name], "dtype": str(array.dtype), "shape": list(array.shape)}
            for name, array in feeds.items()
        ],
        "outputs": [{"name": name, "value": numbers[name]} for name in outputs],
        "constants": [{"value": numbers[name], "tensor": name} for name in constants],
        "operators": [
            {
                "kind": step.kind,
                "name": f"n{i}",
                "inputs": [numbers.get(name, -1) for name in step.inputs],
                "outputs": [numbers.get(name, -1) for name in step.outputs],
                "attributes": dict(step.attributes),
            }
            for i, step in enumerate(steps)
        ],
    }
    with tempfile.TemporaryDirectory() as folder:
        write_plan(Path(folder), plan, dict(constants))
        return Session(Path(folder), threads=threads, isa=isa).run(list(feeds.values()))


def run_operator(
    kind: str, inputs: Sequence[np.ndarray | None], attributes: Mapping[str, Any] | None = None, outputs: int = 1,
    constants: Collection[int] | None = None, threads: int = 1, isa: str = "",
) -> list[np.ndarray]:  # fmt: skip
    """The outputs of one operator. ``constants``: the inputs that the plan holds (by default those that say shapes)."""
    fixed = SHAPING.get(kind, set()) if constants is None else constants
    names = ["" if array is None else f"x{i}" for i, array in enumerate(inputs)]
    held = {name: array for i, (name, array) in enumerate(zip(names, inputs, strict=True)) if name and i in fixed}
    fed = {name: array for name, array in zip(names, inputs, strict=True) if name and name not in held}
    made = [f"y{i}" for i in range(outputs)]
    step = Step(kind, names, made, attributes or {})
    return run_steps([step], fed, held, made, threads, isa)  # type: ignore[arg-type]


def reference(
    kind: str, inputs: Sequence[np.ndarray | None], attributes: Mapping[str, Any] | None = None, outputs: int = 1
) -> list[np.ndarray]:
    """The same by ONNX's reference evaluator, at opset 20."""
    names = ["" if array is None else f"x{i}" for i, array in enumerate(inputs)]
    feeds = {name: array for name, array in zip(names, inputs, strict=True) if array is not None}
    made = [f"y{i}" for i in range(outputs)]
    attributes = dict(attributes or {})
    if kind == "ConstantOfShape" and "value" in attributes:
        value = np.array([attributes.pop("value")], attributes.pop("dtype", "float32"))
        attributes["value"] = numpy_helper.from_array(value)
    graph = helper.make_graph(
        [helper.make_node(kind, names, made, **attributes)],
        "one",
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), list(array.shape))
            for name, array in feeds.items()
        ],
        [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in made],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return [np.asarray(array) for array in ReferenceEvaluator(model).run(None, feeds)]


def assert_same(got: np.ndarray, want: np.ndarray, tolerance: float = 0.0, scale: float | np.ndarray = 0.0) -> None:
    """Equal bit for bit, or for floats within ``tolerance`` of the greater of |want| and ``scale``; NaN equals NaN."""
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    if got.dtype != np.float32 or tolerance == 0:
        np.testing.assert_array_equal(got, want)
        return
    finite = np.isfinite(want)
    np.testing.assert_array_equal(got[~finite], want[~finite])
    wide, room = want[finite].astype(np.float64), np.broadcast_to(scale, want.shape)[finite]
    error = np.abs(got[finite].astype(np.float64) - wide)
    worst = (error - tolerance * np.maximum(np.abs(wide), room)).max(initial=0.0)
    assert worst <= 0, f"off by {worst} more than {tolerance} allows"
