"""Operators with inputs and attributes: what the native executor must compute as ONNX's reference evaluator does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

INTEGERS = (np.int32, np.int64)
NARROW = (np.uint8, np.int8)
NUMBERS: tuple[type, ...] = (np.float32, *INTEGERS, *NARROW)
LEAST, MOST = -(2**63), 2**63 - 1
RNG = np.random.default_rng(20)


def some(shape: Sequence[int], dtype: type = np.float32) -> np.ndarray:
    """Elements of every sign; small ones where they are integers."""
    if dtype == np.float32:
        return RNG.standard_normal(shape).astype(np.float32)
    if dtype == np.bool_:
        return RNG.integers(0, 2, shape).astype(np.bool_)
    return RNG.integers(0 if dtype == np.uint8 else -9, 10, shape).astype(dtype)


def positive(shape: Sequence[int], dtype: type = np.float32) -> np.ndarray:
    distances: np.ndarray = np.abs(some(shape, dtype))
    return (distances + (0.1 if dtype == np.float32 else 1)).astype(dtype)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def scalar(value: float, dtype: type = np.int64) -> np.ndarray:
    return np.array(value, dtype)


@dataclass(frozen=True)
class Case:
    """One operator over given inputs. Floats are compared within ``tolerance`` of max(|want|, ``scale``)."""

    kind: str
    inputs: Sequence[np.ndarray | None]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    outputs: int = 1
    tolerance: float = 0.0
    scale: float = 0.0

    def __str__(self) -> str:
        shapes = "-".join("none" if x is None else f"{x.dtype}{list(x.shape)}".replace(" ", "") for x in self.inputs)
        return f"{self.kind}-{shapes}-{dict(self.attributes)}"


PAIRS = [
    ((3, 4), (3, 4)), ((2, 3, 4), (4,)), ((2, 3, 4), ()), ((), (2, 3)), ((2, 3, 4), (3, 1)), ((2, 1, 4), (3, 1)),
    ((4, 1), (1, 5)), ((0, 3), (1, 3)), ((0,), ()), ((5,), (1,)), ((), ()), ((1, 2, 1, 3, 1, 2, 1, 2), (2, 1, 1)),
]  # fmt: skip


def arithmetic_cases() -> list[Case]:
    cases = []
    for dtype in NUMBERS:
        for a, b in PAIRS if dtype in (np.float32, np.int64) else PAIRS[:5]:
            for kind in ("Add", "Sub", "Mul", "Div", "Max", "Min"):
                cases.append(Case(kind, [some(a, dtype), positive(b, dtype)], tolerance=1e-6))
    for kind in ("Max", "Min"):
        for n in (1, 3, 4):
            cases.append(Case(kind, [some(shape) for shape in ((4,), (3, 1), (2, 3, 4), ())[:n]]))
        cases.append(Case(kind, [np.array([1, np.nan, 3], np.float32), np.array([np.nan, 2, 2], np.float32)]))
    for dtype in (*INTEGERS, *NARROW):
        divisor = some((4,), dtype)
        divisor[divisor == 0] = 3
        cases += [Case("Div", [some((5, 4), dtype), divisor])]
        cases += [Case("Mod", [some((5, 4), dtype), divisor], {"fmod": f}) for f in (0, 1)]
    cases.append(Case("Mod", [some((5, 4)), positive((4,))], {"fmod": 1}, tolerance=1e-6))
    for exponent in (2.0, 3.0, 0.5, -1.0, 1.7):
        cases.append(Case("Pow", [positive((3, 4)), scalar(exponent, np.float32)], tolerance=2e-6))
    cases += [
        Case("Pow", [positive((3, 4)), some((4,))], tolerance=2e-6),
        Case("Pow", [some((3, 4)), some((3, 1), np.int64)], tolerance=2e-6),
        Case("Pow", [some((3, 4), np.int64), positive((4,), np.int64)]),
        Case("Pow", [some((3, 4), np.int32), positive((4,), np.int32)]),
        Case("Pow", [positive((3, 4), np.int32), np.array([0, 1, 2, 3], np.float32)]),
        Case("PRelu", [some((2, 3, 4)), some((3, 1))], tolerance=1e-6),
        Case("PRelu", [some((2, 3)), some((1,))], tolerance=1e-6),
    ]
    return cases


def compare_cases() -> list[Case]:
    cases = []
    for kind in ("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"):
        for dtype in NUMBERS:
            for a, b in (PAIRS[0], PAIRS[4], PAIRS[7]):
                cases.append(Case(kind, [some(a, dtype), some(b, dtype)]))
        cases.append(Case(kind, [np.array([1, np.nan, 3], np.float32), np.array([1, np.nan, 4], np.float32)]))
    cases.append(Case("Equal", [some((3, 4), np.bool_), some((4,), np.bool_)]))
    for kind in ("And", "Or", "Xor"):
        cases += [Case(kind, [some(a, np.bool_), some(b, np.bool_)]) for a, b in PAIRS[:8]]
    cases.append(Case("Not", [some((3, 4), np.bool_)]))
    return cases


def unary_cases() -> list[Case]:
    special = np.array([-np.inf, -2.5, -1.5, -0.5, -0.0, 0.0, 0.5, 1.5, 2.5, 100.0, np.inf, np.nan], np.float32)
    exact = ("Neg", "Abs", "Sign", "Floor", "Ceil", "Round", "Relu", "IsNaN", "IsInf")
    cases = [Case(kind, [x]) for kind in exact for x in (some((3, 5)), special, some(()), some((0, 2)))]
    cases += [Case(kind, [some((3, 4), d)]) for kind in ("Neg", "Abs", "Sign") for d in (np.int8, *INTEGERS)]
    cases += [Case(kind, [some((3, 4), np.uint8)]) for kind in ("Abs", "Sign")]
    cases += [Case("Relu", [some((3, 4), d)]) for d in INTEGERS]
    cases += [Case("IsInf", [special], {"detect_negative": n, "detect_positive": 1 - n}) for n in (0, 1)]
    for kind in ("Sqrt", "Reciprocal", "Log"):
        cases.append(Case(kind, [positive((4, 5))], tolerance=2e-6))
    for kind in ("Exp", "Erf", "Sin", "Cos", "Softplus", "Elu"):
        cases += [Case(kind, [some(shape)], tolerance=2e-6, scale=0.1) for shape in ((4, 5), (), (0,))]
    for kind in ("Tanh", "Sigmoid", "HardSwish", "HardSigmoid"):
        cases += [Case(kind, [4 * some(shape)], tolerance=2e-6, scale=1.0) for shape in ((7, 9), (), (0,))]
    cases += [
        Case("Elu", [some((3, 4))], {"alpha": 0.3}, tolerance=2e-6, scale=0.1),
        Case("LeakyRelu", [some((3, 4))], tolerance=1e-6),
        Case("LeakyRelu", [some((3, 4))], {"alpha": 0.2}, tolerance=1e-6),
        Case("HardSigmoid", [4 * some((3, 4))], {"alpha": 0.3, "beta": 0.4}, tolerance=1e-6, scale=1.0),
        Case("Softplus", [special[special == special]], tolerance=2e-6),
    ]
    return cases


def select_cases() -> list[Case]:
    cases = []
    for dtype in (*NUMBERS, np.bool_):
        for c, a, b in (((3, 4), (3, 4), (3, 4)), ((3, 1), (1, 4), ()), ((), (2, 3), (3,)), ((0, 1), (1, 2), (2,))):
            cases.append(Case("Where", [some(c, np.bool_), some(a, dtype), some(b, dtype)]))
    for dtype in NUMBERS:
        low, high = scalar(1, dtype), scalar(5, dtype)
        for ends in ((low, high), (low,), (None, high), (), (high, low)):
            cases.append(Case("Clip", [some((3, 4), dtype), *ends]))
    cases.append(Case("Clip", [np.array([np.nan, -np.inf, 7], np.float32), None, scalar(1, np.float32)]))
    numbers = {np.float32: 1, np.uint8: 2, np.int8: 3, np.int32: 6, np.int64: 7, np.bool_: 9}
    for source in numbers:
        for number in numbers.values():
            x = positive((3, 4)) * 5 if source == np.float32 else some((3, 4), source)
            cases.append(Case("Cast", [x], {"to": number}))
    cases.append(Case("Cast", [some((3, 4))], {"to": 7}))
    cases.append(Case("Cast", [np.array([300, -7, 2**40 + 5], np.int64)], {"to": 2}))
    cases += [Case("Identity", [some((2, 3))]), Case("Identity", [some((), np.int64)])]
    return cases


def reshape_cases() -> list[Case]:
    x = some((2, 3, 4))
    parts: list[dict[str, int]] = [{}, {"start": 1}, {"end": -1}, {"start": -2, "end": 9}, {"start": 2, "end": 1}]
    cases = [Case("Shape", [x], part) for part in parts]
    cases += [Case("Shape", [some(())]), Case("Size", [x]), Case("Size", [some(())]), Case("Size", [some((0, 2))])]
    cases += [Case("Reshape", [x, ints(*shape)]) for shape in ((6, 4), (-1,), (0, -1), (2, 0, 2, 2), (1, 24, 1))]
    cases += [
        Case("Reshape", [some((1,)), ints()]),
        Case("Reshape", [some((0, 3)), ints(3, 0)], {"allowzero": 1}),
        Case("Reshape", [some((0, 3)), ints(0, 3, 1)]),
        Case("Squeeze", [some((1, 2, 1))]),
        Case("Squeeze", [some((1, 2, 1)), ints(0)]),
        Case("Squeeze", [some((1, 2, 1)), ints(-1, 0)]),
        Case("Unsqueeze", [some((2, 3)), ints(0, -1)]),
        Case("Unsqueeze", [some(()), ints(0)]),
        Case("Unsqueeze", [some((2, 3)), ints(2, 1)]),
    ]
    cases += [Case("Flatten", [x], {"axis": axis}) for axis in (0, 1, 2, 3, -1, -3)]
    cases.append(Case("Flatten", [some((2, 0, 3))]))
    return cases


def join_cases() -> list[Case]:
    cases = []
    for dtype in (*NUMBERS, np.bool_):
        cases.append(Case("Concat", [some((2, n, 3), dtype) for n in (1, 4, 2)], {"axis": 1}))
    for axis, shapes in ((0, [(2, 3), (1, 3)]), (-1, [(2, 3), (2, 0), (2, 1)]), (0, [(3,)]), (1, [(0, 2), (0, 1)])):
        cases.append(Case("Concat", [some(shape) for shape in shapes], {"axis": axis}))
    x = some((4, 7, 3))
    cases += [
        Case("Split", [x, ints(1, 4, 2)], {"axis": 1}, outputs=3),
        Case("Split", [x, ints(0, 7)], {"axis": -2}, outputs=2),
        Case("Split", [x], {"axis": 1, "num_outputs": 3}, outputs=3),
        Case("Split", [x], {"num_outputs": 2}, outputs=2),
        Case("Split", [x, ints(3)], {"axis": 2}, outputs=1),
        Case("Split", [some((2, 40))], {"axis": 1, "num_outputs": 40}, outputs=40),
        Case("Split", [some((19, 3)), ints(*[1] * 9, 0, 10)], {"axis": 0}, outputs=11),
        Case("Split", [some((6,), np.int64)], {"axis": 0, "num_outputs": 3}, outputs=3),
    ]
    return cases


def permute_cases() -> list[Case]:
    orders = [
        ((2, 3), None), ((2, 3, 4), None), ((2, 3, 4), (0, 2, 1)), ((2, 3, 4), (1, 0, 2)), ((1, 3, 1, 4), (0, 2, 1, 3)),
        ((2, 3, 4, 5), (0, 2, 1, 3)), ((2, 3, 4, 5), (0, 2, 3, 1)), ((2, 3, 4, 5), (0, 3, 1, 2)),
        ((2, 3, 4, 5), (3, 1, 2, 0)), ((2, 40, 37), (0, 2, 1)), ((0, 3), (1, 0)), ((3,), (0,)), ((), None),
        ((2, 1, 2, 1, 2, 1, 2, 3), (7, 6, 5, 4, 3, 2, 1, 0)),
    ]  # fmt: skip
    cases = [Case("Transpose", [some(s)], {} if p is None else {"perm": list(p)}) for s, p in orders]
    cases += [Case("Transpose", [some((3, 20, 18), d)], {"perm": [2, 0, 1]}) for d in (np.uint8, np.int64, np.bool_)]
    for mode in ("DCR", "CRD"):
        cases.append(Case("DepthToSpace", [some((2, 8, 2, 3))], {"blocksize": 2, "mode": mode}))
    cases.append(Case("DepthToSpace", [some((1, 9, 1, 2), np.int64)], {"blocksize": 3}))
    cases.append(Case("SpaceToDepth", [some((2, 3, 4, 6))], {"blocksize": 2}))
    return cases


def fill_cases() -> list[Case]:
    cases = []
    expansions: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
        ((3, 1), (2, 3, 4)), ((1,), (3,)), ((2, 3), (1, 1)), ((), (2, 2)), ((1, 3), (0, 1)), ((4,), (1, 4)),
    ]  # fmt: skip
    for shape, wanted in expansions:
        cases += [Case("Expand", [some(shape, dtype), ints(*wanted)]) for dtype in (np.float32, np.bool_)]
    repeated: list[tuple[tuple[int, ...], tuple[int, ...]]]
    repeated = [((2, 3), (2, 1)), ((2, 3), (2, 3)), ((3,), (0,)), ((2, 1, 3), (1, 4, 2)), ((2,), (1,))]
    for shape, repeats in repeated:
        cases.append(Case("Tile", [some(shape), ints(*repeats)]))
    for dtype in (np.float32, *INTEGERS):
        for start, limit, delta in ((0, 5, 1), (3, -4, -2), (5, 5, 1), (5, 1, 1), (2, 9, 3)):
            cases.append(Case("Range", [scalar(v, dtype) for v in (start, limit, delta)]))
    cases += [
        Case("Range", [scalar(v, np.float32) for v in (0.5, 3.2, 0.3)], tolerance=1e-6),
        Case("ConstantOfShape", [ints(2, 3)]),
        Case("ConstantOfShape", [ints()], {"value": 7, "dtype": "int64"}),
        Case("ConstantOfShape", [ints(2, 0)], {"value": 0.5, "dtype": "float32"}),
        Case("ConstantOfShape", [ints(4)], {"value": True, "dtype": "bool"}),
        Case("ConstantOfShape", [ints(4)], {"value": -(2**62) - 1, "dtype": "int64"}),
    ]
    for upper in (0, 1):
        for k in (None, -1, 0, 2, 9, -9):
            inputs = [some((2, 3, 4), np.float32 if k else np.int64)] + ([] if k is None else [scalar(k)])
            cases.append(Case("Trilu", inputs, {"upper": upper}))
    return cases


def pad_cases() -> list[Case]:
    cases = []
    for mode in ("constant", "reflect", "edge"):
        for shape, pads in (
            ((3, 4), (0, 1, 0, 2)), ((3, 4), (2, 0, 1, 0)), ((2, 3, 4), (0, 1, 1, 0, 1, 2)), ((5,), (2, 3)),
            ((1, 2, 3, 3), (0, 0, 1, 1, 0, 0, 1, 1)), ((3, 3, 2), (1, 1, 0, 1, 1, 0)),
        ):  # fmt: skip
            cases.append(Case("Pad", [some(shape), ints(*pads)], {"mode": mode}))
    cases += [
        Case("Pad", [some((3, 4)), ints(1, 1, 1, 1), scalar(7.5, np.float32)]),
        Case("Pad", [some((3, 4), np.int64), ints(1, 1, 1, 1), scalar(-3)]),
        Case("Pad", [some((3, 4), np.uint8), ints(1, 2), scalar(9, np.uint8), ints(-1)]),
        Case("Pad", [some((3, 4)), ints(1, 2, 0, 1), None, ints(1, 0)]),
        Case("Pad", [some((0, 2)), ints(1, 1, 1, 1)]),
        Case("Pad", [some((2, 3)), ints(5, 7, 4, 6)], {"mode": "edge"}),
    ]
    return cases


def gather_cases() -> list[Case]:
    cases = []
    x = some((3, 4, 5))
    for axis in (0, 1, 2, -1, -3):
        square, narrow = ints(0, 1, 2, 1).reshape(2, 2), np.array([1, 0], np.int32)
        for index in (ints(0, 2, -1), scalar(1), scalar(-2), square, narrow):
            cases.append(Case("Gather", [x, index], {"axis": axis}))
    cases += [Case("Gather", [some((3, 4), d), ints(2, -3)], {"axis": 0}) for d in (*NUMBERS, np.bool_)]
    cases += [
        Case("Gather", [x, np.zeros((0, 2), np.int64)]),
        Case("GatherElements", [some((3, 4)), RNG.integers(-3, 3, (2, 4))], {"axis": 0}),
        Case("GatherElements", [some((3, 4), np.int64), RNG.integers(-4, 4, (3, 6))], {"axis": 1}),
        Case("GatherElements", [some((2, 3, 4)), RNG.integers(0, 3, (2, 5, 4)).astype(np.int32)], {"axis": 1}),
        Case("GatherElements", [some((3, 4)), np.zeros((0, 4), np.int64)], {"axis": 0}),
        Case("GatherND", [x, np.array([[0, 1], [2, -1]])]),
        Case("GatherND", [x, np.array([[0, 1, 4], [-1, 2, 0]])]),
        Case("GatherND", [x, np.array([[[1]], [[-3]]])]),
        Case("GatherND", [some((2, 3, 4)), np.array([[1], [-1]])], {"batch_dims": 1}),
        Case("GatherND", [some((2, 3, 4), np.int64), RNG.integers(0, 4, (2, 3, 2, 1))], {"batch_dims": 2}),
        Case("ScatterND", [some((5,)), np.array([[4], [-5], [1]]), some((3,))]),
        Case("ScatterND", [x, np.array([[0], [2]]), some((2, 4, 5))]),
        Case("ScatterND", [some((3, 4), np.int64), np.array([[0, 1], [2, -1], [0, 1]]), some((3,), np.int64)]),
        Case("ScatterND", [x, np.zeros((0, 1), np.int64), some((0, 4, 5))]),
    ]
    for axis in (-1, 0, 1):
        cases.append(
            Case(
                "OneHot",
                [np.array([[0, 2, -1], [1, -3, 0]]), scalar(3), np.array([0.25, 1.5], np.float32)],
                {"axis": axis},
            )
        )
    cases.append(Case("OneHot", [ints(0, 7, -9, 1), scalar(4), ints(5, 9)]))
    return cases


def reduce_cases() -> list[Case]:
    cases = []
    kinds = tuple(f"Reduce{how}" for how in ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "SumSquare"))
    all_axes: list[tuple[int, ...] | None]
    all_axes = [None, (), (0,), (1,), (2,), (-1,), (0, 1), (1, 2), (0, -1), (0, 1, 2)]
    for kind in kinds:
        for n, axes in enumerate(all_axes):
            given_axes = [] if axes is None else [ints(*axes)]
            cases.append(Case(kind, [positive((3, 4, 5)), *given_axes], {"keepdims": n % 2}, tolerance=1e-6))
            if kind != "ReduceL2":
                cases.append(Case(kind, [some((3, 4, 5), INTEGERS[n % 2]), *given_axes], {"keepdims": 1 - n % 2}))
        for given_axes in ([], [ints()]):
            case = Case(kind, [some((3, 4)), *given_axes], {"noop_with_empty_axes": 1}, tolerance=1e-6)
            cases.append(case)
        cases.append(Case(kind, [positive((2, 3, 2, 3, 2)), ints(1, 3)], tolerance=1e-6))
        cases.append(Case(kind, [positive(())], tolerance=1e-6))
        cases.append(Case(kind, [some((0, 3)), ints(1)], tolerance=1e-6))
    cases += [Case(kind, [some((0, 3)), ints(0)]) for kind in kinds]
    for kind in ("ReduceMax", "ReduceMin"):
        cases += [Case(kind, [some((3, 4), dtype), ints(1)]) for dtype in (*NARROW, np.bool_)]
    holes = np.array([[1, np.nan, 3], [4, 5, -np.inf]], np.float32)
    cases += [Case(kind, [holes, ints(axis)]) for kind in ("ReduceMax", "ReduceMin") for axis in (0, 1)]
    for kind in ("ArgMax", "ArgMin"):
        for axis in (0, 1, -1):
            for last in (0, 1):
                attributes = {"axis": axis, "keepdims": last, "select_last_index": last}
                cases.append(Case(kind, [some((3, 4, 5), np.int64) // 4], attributes))
        cases += [Case(kind, [some((3, 40), d)], {"axis": 1}) for d in NUMBERS]
        cases += [Case(kind, [holes], {"axis": axis}) for axis in (0, 1)]
        cases.append(Case(kind, [some((0, 3))], {"axis": 1}))
    for dtype in NUMBERS[:3]:
        for axis in (0, 1, -1):
            for exclusive, reverse in ((0, 0), (1, 0), (0, 1), (1, 1)):
                attributes = {"exclusive": exclusive, "reverse": reverse}
                cases.append(Case("CumSum", [positive((3, 4, 5), dtype), scalar(axis)], attributes, tolerance=1e-6))
    cases.append(Case("CumSum", [some((0, 3)), scalar(1, np.int32)]))
    for dtype in NUMBERS:
        for axis, k in ((-1, 2), (0, 3), (1, 4), (1, 0)):
            attributes = {"axis": axis, "largest": k % 2}
            cases.append(Case("TopK", [some((3, 4, 5), dtype), ints(k)], attributes, outputs=2))
    return cases


FAMILIES = (
    arithmetic_cases, compare_cases, unary_cases, select_cases, reshape_cases, join_cases, permute_cases, fill_cases,
    pad_cases, gather_cases, reduce_cases,
)  # fmt: skip

CASES = [case for family in FAMILIES for case in family()]
