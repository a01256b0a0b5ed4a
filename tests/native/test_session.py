"""The Python face: plans written and read, sessions, and each of the executor's faults as an error of ours."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from speedwell.core.errors import EngineUnavailableError, InputMismatchError, OutputError, PlanError, UnsupportedError
from speedwell.native import Plan, Session, available, supported_isas, write_plan
from speedwell.native import engine as native_engine
from speedwell.native.plan import Constant, Input, Operator, Output

from .lowered import BUILT

PLAN = Plan(
    3,
    (Input("x", 0, "float32", ("batch", 2)),),
    (Output("y", 2),),
    (Constant(1, "w"),),
    (Operator("Add", "sum", (0, 1), (2,)),),
)
TENSORS = {"w": np.array([1, 2], np.float32)}
X = np.array([[1, 2], [3, 4]], np.float32)
built = pytest.mark.skipif(not BUILT, reason="the executor is not built")


# Plans


def test_a_plan_comes_back_from_json_as_it_was(tmp_path: Path) -> None:
    write_plan(tmp_path, PLAN, TENSORS)
    content = json.loads((tmp_path / "plan.json").read_text())
    assert content["format"] == "speedwell-plan"
    assert Plan.from_json(content) == PLAN


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"format": "speedwell-plan", "version": 2},
        PLAN.to_json() | {"inputs": [1]},
        PLAN.to_json() | {"operators": 7},
    ],
)
def test_what_is_no_plan_is_refused(content: dict) -> None:
    with pytest.raises(PlanError):
        Plan.from_json(content)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), np.float32(1)])
def test_a_plan_that_json_cannot_hold_is_refused_and_nothing_is_written(tmp_path: Path, number: float) -> None:
    strange = Operator("quantize", "q", (0,), (2,), {"scale": number})
    with pytest.raises(PlanError, match="JSON"):
        write_plan(tmp_path / "plan", Plan(3, PLAN.inputs, PLAN.outputs, PLAN.constants, (strange,)), TENSORS)
    assert not (tmp_path / "plan").exists()


def test_a_folder_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "plan").write_text("a file is in the way")
    with pytest.raises(OutputError, match="plan"):
        write_plan(tmp_path / "plan", PLAN, TENSORS)


def test_writing_again_leaves_the_new_plan_and_no_rest(tmp_path: Path) -> None:
    write_plan(tmp_path, PLAN, {"w": np.zeros(2, np.float32)})
    write_plan(tmp_path, PLAN, TENSORS)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["plan.json", "weights.safetensors"]
    from safetensors.numpy import load_file

    np.testing.assert_array_equal(load_file(tmp_path / "weights.safetensors")["w"], TENSORS["w"])


def test_importing_the_room_loads_neither_onnx_nor_the_compiled_module() -> None:
    code = "import sys, speedwell.native; print(sorted(m for m in sys.modules if 'onnx' in m or '_engine' in m))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_opening_a_plan_loads_no_onnx(tmp_path: Path) -> None:
    if not BUILT:
        pytest.skip("the executor is not built")
    write_plan(tmp_path, PLAN, TENSORS)
    code = (
        "import sys; from pathlib import Path; import numpy as np; from speedwell.native import Session\n"
        f"Session(Path({str(tmp_path)!r})).run([np.zeros((1, 2), np.float32)])\n"
        "print('onnx' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"


# Sessions


@built
def test_a_session_answers_in_order_or_by_name(tmp_path: Path) -> None:
    write_plan(tmp_path, PLAN, TENSORS)
    session = Session(tmp_path, threads=2)
    assert (session.input_names, session.output_names) == (("x",), ("y",))
    (y,) = session.run([X])
    np.testing.assert_array_equal(y, X + TENSORS["w"])
    np.testing.assert_array_equal(session.run({"x": X})["y"], y)
    np.testing.assert_array_equal(session.run([X.T.copy().T])[0], y)  # rows that do not lie in a row are copied
    assert session.facts()["threads"] == 2
    ((name, kind, seconds),) = session.profile([X], 3)
    assert (name, kind) == ("sum", "Add")
    assert seconds >= 0


@built
def test_every_instruction_set_that_is_offered_can_be_asked_for(tmp_path: Path) -> None:
    write_plan(tmp_path, PLAN, TENSORS)
    assert "scalar" in supported_isas()
    for isa in supported_isas():
        assert Session(tmp_path, isa=isa).facts()["isa"] == isa


@built
@pytest.mark.parametrize(
    "inputs",
    [[], [X, X], [X.astype(np.float64)], [X[:, :1]], [X[0]], {"z": X}, {"x": X, "z": X}, {}],
    ids=["none", "too many", "another type", "another size", "another rank", "another name", "a name more", "no name"],
)
def test_inputs_that_do_not_fit_are_said(tmp_path: Path, inputs: object) -> None:
    write_plan(tmp_path, PLAN, TENSORS)
    with pytest.raises(InputMismatchError):
        Session(tmp_path).run(inputs)  # type: ignore[call-overload]


@built
def test_what_the_executor_lacks_is_said_by_name(tmp_path: Path) -> None:
    strange = tuple(Operator(kind, kind, (0,), (i,)) for kind, i in (("Magic", 2), ("Spell", 3)))
    write_plan(tmp_path, Plan(4, PLAN.inputs, PLAN.outputs, PLAN.constants, strange), TENSORS)
    with pytest.raises(UnsupportedError, match=r"^unsupported: Magic, Spell$"):
        Session(tmp_path)


@built
def test_a_broken_plan_is_said(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"plan\.json"):
        Session(tmp_path)
    write_plan(tmp_path, PLAN, {})
    with pytest.raises(PlanError, match="w"):
        Session(tmp_path)
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(PlanError):
        Session(tmp_path)


@built
def test_memory_that_there_is_not_is_a_memory_error(tmp_path: Path) -> None:
    sizes = np.array([1 << 30, 1 << 30], np.int64)
    huge = Operator("Expand", "huge", (0, 1), (2,))
    write_plan(
        tmp_path, Plan(3, (Input("x", 0, "float32", (1, 1)),), PLAN.outputs, PLAN.constants, (huge,)), {"w": sizes}
    )
    with pytest.raises(MemoryError):
        Session(tmp_path).run([X[:1, :1]])


def test_where_the_executor_is_not_built_the_fix_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        native_engine, "_load", lambda: (None, "the native engine is not built; build it with: make native")
    )
    assert available() == (False, "the native engine is not built; build it with: make native")
    assert supported_isas() == ()
    assert native_engine.kinds() is None
    write_plan(tmp_path, PLAN, TENSORS)
    with pytest.raises(EngineUnavailableError) as caught:
        Session(tmp_path)
    assert caught.value.fix == "Build it with: make native"


def test_memory_that_the_machine_does_not_have_is_refused(tmp_path):
    plan = {
        "format": "speedwell-plan", "version": 1, "values": 3,
        "inputs": [{"name": "x", "value": 0, "dtype": "float32", "shape": [1, 1]}],
        "outputs": [{"name": "y", "value": 2}], "constants": [{"value": 1, "tensor": "shape"}],
        "operators": [{"kind": "Expand", "name": "wide", "inputs": [0, 1], "outputs": [2], "attributes": {}}],
    }  # fmt: skip
    write_plan(tmp_path, plan, {"shape": np.array([1 << 19, 1 << 19], np.int64)})
    with pytest.raises(MemoryError, match="1099511627776 bytes"):
        Session(tmp_path).run([np.zeros((1, 1), np.float32)])
