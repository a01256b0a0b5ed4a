"""ONNX's generic operators in the native executor, against ONNX's reference evaluator."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedwell.core.errors import EngineError, InputMismatchError

from .operator_cases import CASES, LEAST, MOST, RNG, Case, ints, positive, scalar, some
from .plans import Step, assert_same, reference, run_operator, run_steps
from .wrong_operators import WRONG


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_operator_equals_the_reference(case: Case) -> None:
    got = run_operator(case.kind, case.inputs, case.attributes, case.outputs)
    wanted = reference(case.kind, case.inputs, case.attributes, case.outputs)
    for have, want in zip(got, wanted, strict=True):
        if case.kind == "ReduceSumSquare":  # the evaluator widens int32, against its own schema
            want = want.astype(have.dtype)
        assert_same(have, want, case.tolerance, case.scale)


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_equals_its_formula(approximate: str) -> None:
    x = 3 * some((5, 33))
    wide = x.astype(np.float64)
    if approximate == "tanh":
        want = 0.5 * wide * (1 + np.tanh(math.sqrt(2 / math.pi) * (wide + 0.044715 * wide**3)))
    else:
        want = 0.5 * wide * (1 + np.vectorize(math.erf)(wide / math.sqrt(2)))
    assert_same(run_operator("Gelu", [x], {"approximate": approximate})[0], want.astype(np.float32), 2e-6, 1.0)


@pytest.mark.parametrize(("name", "number"), [("float32", 1), ("uint8", 2), ("int8", 3), ("int32", 6), ("bool", 9)])
def test_cast_takes_our_names_as_well_as_numbers(name: str, number: int) -> None:
    x = some((7,), np.int64)
    assert_same(run_operator("Cast", [x], {"to": name})[0], run_operator("Cast", [x], {"to": number})[0])


def test_a_cast_of_what_does_not_fit_ends_at_the_type_s_ends() -> None:
    x = np.array([np.nan, np.inf, -np.inf, 1e30, -1e30, -0.7], np.float32)
    for dtype in (np.int8, np.int32, np.int64):
        ends = np.iinfo(dtype)
        want = np.array([0, ends.max, ends.min, ends.max, ends.min, 0], dtype)
        assert_same(run_operator("Cast", [x], {"to": np.dtype(dtype).name})[0], want)


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64])
def test_integer_division_has_an_answer_for_every_divisor(dtype: type) -> None:
    least = np.iinfo(dtype).min
    a: np.ndarray = np.array([least, least, 7, -7, 0], dtype)
    b: np.ndarray = np.array([-1, 0, 0, 2, -1], dtype)
    assert_same(run_operator("Div", [a, b])[0], np.array([least, 0, 0, -3, 0], dtype))
    for fmod in (0, 1):
        rest = -1 if fmod else 1
        assert_same(run_operator("Mod", [a, b], {"fmod": fmod})[0], np.array([0, 0, 0, rest, 0], dtype))


def test_integer_powers_of_negative_exponents_are_cut_to_integers() -> None:
    base, exponent = ints(1, -1, -1, 2, 0, LEAST), ints(LEAST, -3, -4, -1, -1, -1)
    assert_same(run_operator("Pow", [base, exponent])[0], ints(1, -1, 1, 0, 0, 0))


def test_overflowing_integers_wrap() -> None:
    x = ints(MOST, LEAST, 2**62)
    with np.errstate(all="ignore"):
        assert_same(run_operator("Add", [x, x])[0], x + x)
        assert_same(run_operator("Mul", [x, x])[0], x * x)
        assert_same(run_operator("Neg", [x])[0], -x)
        assert_same(run_operator("Abs", [x])[0], np.abs(x))
        assert_same(run_operator("ReduceSum", [x, ints(0)])[0], np.sum(x, keepdims=True))


@pytest.mark.parametrize("upper", [0, 1])
@pytest.mark.parametrize("k", [MOST, LEAST])
def test_a_diagonal_far_outside_keeps_all_or_nothing(upper: int, k: int) -> None:
    x = some((3, 4))
    keeps = (k == LEAST) == bool(upper)
    assert_same(run_operator("Trilu", [x, scalar(k)], {"upper": upper})[0], x if keeps else np.zeros_like(x))


SLICES: list[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...] | None, tuple[int, ...] | None]]
SLICES = [
    ((5, 6), (1, 2), (4, 5), None, None), ((5, 6), (-3,), (-1,), (1,), None), ((5, 6), (0,), (MOST,), (0,), (2,)),
    ((5, 6), (-1,), (LEAST,), (1,), (-1,)), ((5, 6), (4, 5), (0, 0), (0, 1), (-2, -3)),
    ((5, 6), (0,), (MOST,), (1,), None), ((5, 6), (3,), (1,), (0,), None), ((5, 6), (9,), (MOST,), (0,), None),
    ((0, 6), (0,), (MOST,), (0,), (-1,)), ((5,), (1,), (MOST,), (-1,), (MOST,)), ((5,), (4,), (LEAST,), (0,), (LEAST,)),
    ((2, 3, 4, 5), (1, 1), (3, 4), (1, 3), (1, 2)),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "starts", "ends", "axes", "steps"), SLICES)
@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.uint8])
def test_a_slice_equals_the_reference(
    shape: tuple[int, ...], starts: tuple[int, ...], ends: tuple[int, ...], axes: tuple[int, ...] | None,
    steps: tuple[int, ...] | None, dtype: type,
) -> None:  # fmt: skip
    inputs: list[np.ndarray | None] = [some(shape, dtype), ints(*starts), ints(*ends)]
    inputs += [None if axes is None else ints(*axes), None if steps is None else ints(*steps)]
    assert_same(run_operator("Slice", inputs)[0], reference("Slice", inputs)[0])


SIZES = st.integers(1, 4)


@settings(max_examples=40, deadline=None)
@given(st.lists(SIZES, min_size=0, max_size=5), st.data())
def test_any_two_shapes_that_broadcast_do(shape: list[int], data: st.DataObject) -> None:
    def part(name: str) -> tuple[int, ...]:
        kept = shape[data.draw(st.integers(0, len(shape)), name) :]
        return tuple(1 if data.draw(st.booleans()) else size for size in kept)

    a, b = some(part("a")), some(part("b"))
    assert_same(run_operator("Sub", [a, b])[0], a - b, 1e-6)
    condition = some(part("c"), np.bool_)
    assert_same(run_operator("Where", [condition, a, b])[0], np.where(condition, a, b))


@settings(max_examples=40, deadline=None)
@given(st.lists(SIZES, min_size=1, max_size=5), st.data())
def test_any_slice_equals_numpy_s(shape: list[int], data: st.DataObject) -> None:
    x = some(shape, np.int64)
    cuts = []
    for size in shape:
        step = data.draw(st.sampled_from([-3, -2, -1, 1, 2, 3]))
        start = data.draw(st.integers(-size, size + 2))
        cuts.append((start, data.draw(st.integers(-size - 2, size + 2)), step))
    starts, ends, steps = (ints(*column) for column in zip(*cuts, strict=True))
    got = run_operator("Slice", [x, starts, ends, None, steps])[0]
    assert_same(got, x[tuple(slice(*cut) for cut in cuts)])


@settings(max_examples=40, deadline=None)
@given(st.lists(SIZES, min_size=1, max_size=6), st.data())
def test_any_permutation_and_reduction_equals_numpy_s(shape: list[int], data: st.DataObject) -> None:
    x = some(shape, np.int32)
    order = data.draw(st.permutations(range(len(shape))))
    assert_same(run_operator("Transpose", [x], {"perm": order})[0], np.transpose(x, order))
    axes = data.draw(st.lists(st.sampled_from(range(len(shape))), unique=True, min_size=1))
    keep = data.draw(st.booleans())
    got = run_operator("ReduceSum", [x, ints(*axes)], {"keepdims": int(keep)})[0]
    assert_same(got, np.asarray(np.sum(x, axis=tuple(axes), keepdims=keep, dtype=np.int32)))


@settings(max_examples=30, deadline=None)
@given(st.lists(SIZES, min_size=1, max_size=4), st.sampled_from(["constant", "reflect", "edge"]), st.data())
def test_any_pad_equals_numpy_s(shape: list[int], mode: str, data: st.DataObject) -> None:
    x = some(shape)
    ends = [data.draw(st.tuples(st.integers(0, 3), st.integers(0, 3))) for _ in shape]
    if mode == "reflect":
        ends = [(min(a, size - 1), min(b, size - 1)) for (a, b), size in zip(ends, shape, strict=True)]
    pads = ints(*(a for a, _ in ends), *(b for _, b in ends))
    assert_same(run_operator("Pad", [x, pads], {"mode": mode})[0], np.pad(x, ends, mode))  # type: ignore[call-overload]


def test_a_negative_pad_crops() -> None:
    x = some((4, 5))
    want = np.pad(x[1:, :3], ((0, 1), (2, 0)))
    assert_same(run_operator("Pad", [x, ints(-1, 2, 1, -2)])[0], want)
    assert_same(run_operator("Pad", [x, ints(-9, 0, 7, 0)])[0], np.zeros((2, 5), np.float32))


def test_gather_elements_takes_fewer_rows_than_data_has() -> None:
    x, index = some((4, 5)), RNG.integers(-5, 5, (2, 3))
    assert_same(run_operator("GatherElements", [x, index], {"axis": 1})[0], np.take_along_axis(x[:2], index, 1))


@pytest.mark.parametrize("threads", [1, 2])
def test_large_tensors_are_shared_among_threads(threads: int) -> None:
    x, row = some((3, 300, 257)), some((257,))
    for kind, inputs, want in (
        ("Add", [x, row], x + row),
        ("Mul", [x, x], x * x),
        ("Sub", [x, some(())], None),
        ("Neg", [x], -x),
        ("Less", [x, row], x < row),
        ("Clip", [x, scalar(0, np.float32)], np.maximum(x, 0)),
        ("Transpose", [x], np.transpose(x)),
        ("Concat", [x, x], np.concatenate([x, x])),
        ("Gather", [x.reshape(900, 257), RNG.integers(-900, 900, 500)], None),
        ("ScatterND", [x.reshape(900, 257), RNG.integers(0, 900, (1, 1)), some((1, 257))], None),
        ("Trilu", [x], np.triu(x)),
        ("TopK", [x, ints(5)], -np.sort(-x, axis=-1)[..., :5]),
        ("ArgMax", [x], np.argmax(x, 0)[None]),
        ("CumSum", [np.abs(x), scalar(1)], np.cumsum(np.abs(x), 1, np.float64).astype(np.float32)),
    ):
        attributes = {"axis": 0} if kind == "Concat" else {}
        got = run_operator(kind, inputs, attributes, 2 if kind == "TopK" else 1, threads=threads)[0]
        assert_same(got, reference(kind, inputs, attributes)[0] if want is None else want, 1e-6)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((200_000,), (0,)), ((2, 100_000), (1,)), ((100_000, 3), (0,)), ((3, 40_000, 2), (0, 1)),
        ((2, 300, 400), (1,)), ((70, 9, 300), (0, 2)),
    ],
)  # fmt: skip
def test_long_sums_keep_their_precision(shape: tuple[int, ...], axes: tuple[int, ...], threads: int) -> None:
    x = positive(shape)
    wide = x.astype(np.float64)
    for kind, want in (
        ("ReduceSum", wide.sum(axes)), ("ReduceMean", wide.mean(axes)), ("ReduceMax", wide.max(axes)),
        ("ReduceSumSquare", (wide**2).sum(axes)), ("ReduceL2", np.sqrt((wide**2).sum(axes))),
    ):  # fmt: skip
        got = run_operator(kind, [x, ints(*axes)], {"keepdims": 0}, threads=threads)[0]
        assert_same(got, np.asarray(want, np.float32), 1e-6)


def test_sums_are_the_same_on_any_number_of_threads() -> None:
    x = some((3, 100_000))
    for axes in (ints(0, 1), ints(1), ints(0)):
        one, two = (run_operator("ReduceSum", [x, axes], threads=n)[0] for n in (1, 2))
        assert_same(one, two)


@pytest.mark.parametrize("isa", ["scalar", ""])
@pytest.mark.parametrize("kind", ["Add", "Sub", "Mul", "Div", "Max", "Min"])
def test_float_arithmetic_is_the_same_on_every_path(kind: str, isa: str) -> None:
    for a, b in (((9, 37), (9, 37)), ((9, 37), (37,)), ((9, 37), ()), ((), (9, 37)), ((9, 37), (9, 1))):
        inputs = [some(a), positive(b)]
        assert_same(run_operator(kind, inputs, isa=isa)[0], reference(kind, inputs)[0], 1e-6)


# x -> Neg -> t, so that t lies in the arena and may be overwritten by what follows.
IN_PLACE = [
    ("Add", ["t", "x"], {}), ("Add", ["x", "t"], {}), ("Add", ["t", "t"], {}), ("Sub", ["row", "t"], {}),
    ("Max", ["t", "x", "row", "t"], {}), ("Min", ["row", "t", "t"], {}), ("Mod", ["t", "x"], {"fmod": 1}),
    ("Pow", ["t", "t"], {}), ("PRelu", ["t", "row"], {}), ("Exp", ["t"], {}), ("Relu", ["t"], {}), ("Tanh", ["t"], {}),
    ("Where", ["c", "t", "x"], {}), ("Where", ["c", "row", "t"], {}), ("Clip", ["t", "low"], {}),
    ("Trilu", ["t"], {"upper": 1}), ("Trilu", ["t"], {"upper": 0}), ("CumSum", ["t", "axis"], {"exclusive": 1}),
    ("CumSum", ["t", "axis"], {"reverse": 1}), ("ScatterND", ["t", "index", "update"], {}),
    ("ScatterND", ["t", "all", "t"], {}), ("Transpose", ["t"], {}), ("Concat", ["t", "t"], {"axis": 0}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "names", "attributes"), IN_PLACE, ids=str)
def test_an_operator_may_write_over_its_input(kind: str, names: list[str], attributes: dict[str, int]) -> None:
    feeds = {
        "x": positive((4, 6)), "row": some((6,)), "c": some((4, 6), np.bool_), "low": scalar(-0.5, np.float32),
        "axis": scalar(0), "index": np.array([[2], [0]]), "update": some((2, 6)), "all": np.array([[3], [1], [0], [2]]),
    }  # fmt: skip
    steps = [Step("Neg", ["x"], ["t"]), Step(kind, names, ["y"], attributes)]
    used = {name: array for name, array in feeds.items() if name == "x" or name in names}
    got = run_steps(steps, used, {}, ["y"])[0]
    values = feeds | {"t": -feeds["x"]}
    assert_same(got, reference(kind, [values[name] for name in names], attributes)[0], 2e-6, 0.1)


def test_what_depends_on_shapes_alone_is_known_when_a_plan_is_bound() -> None:
    x = some((3, 4, 5))
    steps = [
        Step("Shape", ["x"], ["shape"]),
        Step("Gather", ["shape", "zero"], ["rows"], {"axis": 0}),
        Step("Unsqueeze", ["rows", "axes"], ["row"]),
        Step("Concat", ["row", "rest"], ["sizes"], {"axis": 0}),
        Step("Reshape", ["x", "sizes"], ["y"]),
        Step("Range", ["zero", "rows", "one"], ["z"]),
        Step("ConstantOfShape", ["sizes1"], ["ones"], {"value": 1, "dtype": "int64"}),
        Step("Slice", ["shape", "one1", "two1"], ["sizes1"]),
        Step("Expand", ["one", "sizes1"], ["expanded"]),
    ]
    steps[6], steps[7] = steps[7], steps[6]
    constants = {
        "zero": scalar(0),
        "one": scalar(1),
        "axes": ints(0),
        "rest": ints(-1),
        "one1": ints(1),
        "two1": ints(2),
    }
    y, z, ones, expanded = run_steps(steps, {"x": x}, constants, ["y", "z", "ones", "expanded"])
    assert_same(y, x.reshape(3, 20))
    assert_same(z, ints(0, 1, 2))
    assert_same(ones, ints(1, 1, 1, 1))
    assert_same(expanded, ints(1, 1, 1, 1))


def test_outputs_may_be_left_out() -> None:
    x = some((2, 6))
    top = run_steps([Step("TopK", ["x", "k"], ["", "i"])], {"x": x}, {"k": ints(2)}, ["i"])[0]
    assert_same(top, np.argsort(-x, axis=-1, kind="stable")[:, :2])
    values = run_steps([Step("TopK", ["x", "k"], ["v"])], {"x": x}, {"k": ints(2)}, ["v"])[0]
    assert_same(values, -np.sort(-x, axis=-1)[:, :2])
    split = Step("Split", ["x"], ["", "b"], {"axis": 1, "num_outputs": 3})
    assert_same(run_steps([split], {"x": x}, {}, ["b"])[0], x[:, 2:4])


@pytest.mark.parametrize(
    ("kind", "inputs", "attributes"),
    WRONG,
    ids=[f"{i}-{kind}-{attributes}" for i, (kind, _, attributes) in enumerate(WRONG)],
)
def test_what_cannot_be_right_is_refused(
    kind: str, inputs: list[np.ndarray | None], attributes: dict[str, Any]
) -> None:
    with pytest.raises((EngineError, InputMismatchError, MemoryError)) as caught:
        run_operator(kind, inputs, attributes, outputs=2 if kind in ("Split", "TopK") else 1)
    assert str(caught.value)


@pytest.mark.parametrize("kind", ["Reshape", "Expand", "Slice", "Range", "Tile", "ReduceSum", "TopK"])
def test_a_shape_that_depends_on_data_is_refused(kind: str) -> None:
    x = some((3, 4))
    inputs = {
        "Reshape": [x, ints(12)], "Expand": [x, ints(1)], "Slice": [x, ints(0), ints(1)], "Tile": [x, ints(1, 1)],
        "Range": [scalar(0), scalar(3), scalar(1)], "ReduceSum": [x, ints(0)], "TopK": [x, ints(1)],
    }[kind]  # fmt: skip
    with pytest.raises(EngineError, match=kind):
        run_operator(kind, inputs, constants=(), outputs=2 if kind == "TopK" else 1)
