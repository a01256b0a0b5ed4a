"""What a plan becomes at given sizes: shapes, and where every operand lies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from speedwell.core.errors import InputMismatchError, UnsupportedError
from speedwell.native import Plan, Session, write_plan
from speedwell.native.binding import Operand, Step
from speedwell.native.plan import Constant, Input, Operator, Output

# y = relu(x + w); s = shape of y as data; z = y in another shape
PLAN = Plan(
    7,
    (Input("x", 0, "float32", ("batch", 4)),),
    (Output("y", 3), Output("z", 5), Output("s", 6)),
    (Constant(1, "w"), Constant(4, "flat")),
    (
        Operator("Add", "sum", (0, 1), (2,)),
        Operator("Relu", "relu", (2,), (3,)),
        Operator("Reshape", "flat", (3, 4), (5,)),
        Operator("Shape", "shape", (3,), (6,)),
    ),
)
TENSORS = {"w": np.ones(4, np.float32), "flat": np.array([-1], np.int64)}


@pytest.fixture
def session(tmp_path: Path) -> Session:
    write_plan(tmp_path, PLAN, TENSORS)
    return Session(tmp_path)


def test_only_what_runs_is_a_step_and_its_operands_say_where_they_lie(session: Session) -> None:
    binding = session.bound({"x": (3, 4)})
    add, relu = binding.steps  # the reshape is other words for the same bytes, the shape is known
    assert (add.operator, relu.operator) == (0, 1)
    assert add.inputs == (Operand("float32", (3, 4), 48, "input", 0), Operand("float32", (4,), 16, "fixed", 0))
    (made,) = add.outputs
    assert made is not None
    assert (made.dtype, made.shape, made.bytes, made.home, made.elements) == ("float32", (3, 4), 48, "arena", 12)
    assert relu.inputs == add.outputs
    assert 48 <= binding.arena_bytes <= 128


def test_other_sizes_are_another_binding_and_nothing_has_to_run(session: Session) -> None:
    assert session.facts()["arena_bytes"] == 0
    small, large = (session.bound({"x": (n, 4)}) for n in (1, 1000))
    assert large.arena_bytes > small.arena_bytes
    assert large.steps[0].outputs[0] == Operand("float32", (1000, 4), 16000, "arena", 0)
    (y, z, s) = session.run([np.zeros((2, 4), np.float32)])
    assert (y.shape, z.shape, s.tolist()) == ((2, 4), (8,), [2, 4])


def live(steps: tuple[Step, ...], arena: int) -> None:
    """No two values that are needed at the same time share a byte, and all lie in the arena."""
    last: dict[tuple[int, int], int] = {}
    for number, step in enumerate(steps):
        for operand in (*step.inputs, *step.outputs):
            if operand is not None and operand.home == "arena":
                assert operand.at + operand.bytes <= arena
                last[operand.at, operand.bytes] = number
        assert step.scratch + step.scratch_bytes <= arena
        made = [o for o in step.outputs if o is not None and o.home == "arena"]
        read = [o for o in step.inputs if o is not None and o.home == "arena"]
        for one in made:
            for other in read:
                whole = (one.at, one.bytes) == (other.at, other.bytes)
                assert whole or one.at + one.bytes <= other.at or other.at + other.bytes <= one.at


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_offsets_lie_in_the_arena_and_outputs_over_no_other_input(tmp_path: Path, rows: int) -> None:
    from speedwell.native import lower
    from speedwell.testing.engine_models import NETWORKS, static_int8

    lower(static_int8(NETWORKS[1], tmp_path).payload, tmp_path / "plan")
    session = Session(tmp_path / "plan")
    binding = session.bound({name: (2, rows) for name in session.input_names})
    assert len(binding.steps) > 10
    live(binding.steps, binding.arena_bytes)


@pytest.mark.parametrize(
    "shapes",
    [{}, {"y": (1, 4)}, {"x": (1, 4), "y": (1, 4)}, {"x": (1, 5)}, {"x": (4,)}, {"x": (-1, 4)}],
    ids=["none", "another name", "one too many", "another size", "another rank", "a negative size"],
)
def test_shapes_that_do_not_fit_are_said(session: Session, shapes: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(InputMismatchError):
        session.bound(shapes)
    session.run([np.zeros((2, 4), np.float32)])  # and the session is none the worse


def test_sizes_that_no_machine_has_are_refused(session: Session) -> None:
    with pytest.raises(MemoryError):
        session.bound({"x": (1 << 39, 4)})
    with pytest.raises(UnsupportedError, match="8 dimensions"):
        session.bound({"x": (1,) * 9})
