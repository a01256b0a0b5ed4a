"""Rows quantized at run time: by the product that reads them, or once for several products."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedwell.core.errors import EngineError, InputMismatchError, PlanError
from speedwell.native import LowerOptions, Session, supported_isas

from .lowered import integers, lowered, model_of, normal
from .plans import Step, run_operator, run_steps
from .product_plans import UNIT, product, sums

Array = np.ndarray

ISAS = supported_isas()


def quantized(x: Array, high: int) -> tuple[Array, Array, Array]:
    """Levels, scales and zero points by the definition, in float32."""
    least, most = np.minimum(x.min(-1, initial=0), 0), np.maximum(x.max(-1, initial=0), 0)
    step = (most - least) / np.float32(high)
    scale = np.where(step >= np.finfo(np.float32).tiny, step, np.float32(1)).astype(np.float32)
    inverse = np.float32(1) / scale
    zero = np.rint(np.clip(-least * inverse, 0, high))
    levels = np.rint(np.clip(x * inverse[..., None], -zero[..., None], high - zero[..., None])) + zero[..., None]
    return levels.astype(np.uint8), scale, zero.astype(np.uint8)


def shared(x: Array, weight: Array, high: int, isa: str = "", threads: int = 1) -> Array:
    """A product whose rows quantize_rows has made bytes of."""
    constants = {"w": weight, "s": np.ones(len(weight), np.float32)}
    steps = [
        Step("quantize_rows", ["x"], ["bytes", "scale", "zero"], {"high": high}),
        Step("gemm_int8", ["bytes", "w", "s", "", "", "", "", "scale", "zero"], ["y"], {"input": {"rows": high}}),
    ]
    return run_steps(steps, {"x": x}, constants, ["y"], threads, isa)[0]


@settings(max_examples=60, deadline=None)
@given(
    shape=st.lists(st.integers(0, 9), max_size=2), k=st.integers(0, 150), high=st.sampled_from([1, 127, 255]),
    spread=st.sampled_from([0.0, 1e-38, 1.0, 1e30]), seed=st.integers(0, 99), isa=st.sampled_from(ISAS),
)  # fmt: skip
def test_each_row_has_a_range_of_its_own(
    shape: list[int], k: int, high: int, spread: float, seed: int, isa: str
) -> None:
    x = normal(*shape, k, seed=seed) * np.float32(spread)
    levels, scale, zero = run_operator("quantize_rows", [x], {"high": high}, 3, isa=isa, threads=2)
    for got, want in zip((levels, scale, zero), quantized(x, high), strict=True):
        np.testing.assert_array_equal(got, want)
        assert got.dtype == want.dtype


@settings(max_examples=40, deadline=None)
@given(
    m=st.integers(0, 120), k=st.integers(1, 70), n=st.integers(1, 150), high=st.sampled_from([127, 255]),
    threads=st.integers(1, 3), isa=st.sampled_from(ISAS),
)  # fmt: skip
def test_a_product_of_floats_and_one_of_shared_bytes_give_the_same_bits(
    tmp_path_factory: pytest.TempPathFactory, m: int, k: int, n: int, high: int, threads: int, isa: str
) -> None:
    x, weight = normal(m, k, seed=m), integers(n, k, seed=n, reach=127)
    levels, scale, zero = quantized(x, high)
    folder = tmp_path_factory.mktemp("rows")
    floats = product(folder, x, weight, isa=isa, threads=threads, input={"rows": high})
    whole = sums(levels, weight) - zero.astype(np.int64)[:, None] * weight.sum(1, dtype=np.int64)
    np.testing.assert_array_equal(floats, whole.astype(np.float32) * scale[:, None])
    np.testing.assert_array_equal(shared(x, weight, high, isa, threads), floats)


@pytest.mark.parametrize("dynamic", [True, False])
@pytest.mark.parametrize("m", [5, 16, 131])
def test_whoever_gets_the_rows_ready_the_bits_are_the_same(tmp_path: Path, m: int, dynamic: bool) -> None:
    """Many threads on few cores: some always find that another is at the rows they want."""
    x, weight = normal(m, 99), integers(700, 99)
    a = x if dynamic else quantized(x, 255)[0]
    steps = {"rows": 255} if dynamic else UNIT
    want = product(tmp_path / "one", a, weight, input=steps)
    product(tmp_path / "many", a, weight, input=steps)
    session = Session(tmp_path / "many", threads=16)
    for _ in range(200):
        np.testing.assert_array_equal(session.run([a])[0], want)


def test_what_nobody_reads_of_quantized_rows_is_left_out() -> None:
    x = normal(40, 33)
    want = quantized(x, 255)
    for i, name in enumerate(("levels", "scale", "zero")):
        outputs = [name if j == i else "" for j in range(3)]
        (got,) = run_steps([Step("quantize_rows", ["x"], outputs, {"high": 255})], {"x": x}, {}, [name], 2)
        np.testing.assert_array_equal(got, want[i])


@pytest.mark.parametrize("high", [0, 256, -1, 1.5, "255", None])
def test_a_largest_level_that_is_no_byte_is_refused(high: object) -> None:
    with pytest.raises(EngineError):
        run_operator("quantize_rows", [normal(2, 3)], {} if high is None else {"high": high}, 3)


def test_a_number_has_no_rows() -> None:
    with pytest.raises(EngineError, match="axis"):
        run_operator("quantize_rows", [normal()], {"high": 255}, 3)


A, SCALE, ZERO = np.zeros((2, 3, 8), np.uint8), np.ones((2, 3), np.float32), np.zeros((2, 3), np.uint8)
DYNAMIC: dict[str, Any] = {"rows": 255}


@pytest.mark.parametrize(
    ("a", "scale", "zero", "steps"),
    [
        (A, None, None, DYNAMIC),
        (A, SCALE, None, DYNAMIC),
        (A, None, ZERO, DYNAMIC),
        (A, SCALE[:, :2], ZERO, DYNAMIC),
        (A, SCALE, ZERO[0], DYNAMIC),
        (A, SCALE.astype(np.int32), ZERO, DYNAMIC),
        (A, SCALE, ZERO.astype(np.int32), DYNAMIC),
        (A, SCALE, ZERO, UNIT),
        (A.astype(np.float32), SCALE, ZERO, DYNAMIC),
        (A.astype(np.int8), SCALE, ZERO, DYNAMIC),
        (A.astype(np.float32), None, None, UNIT),
    ],
)
def test_rows_without_their_scales_or_with_too_many_are_refused(
    a: Array, scale: Array | None, zero: Array | None, steps: dict[str, Any]
) -> None:
    constants = {"w": integers(4, 8), "s": np.ones(4, np.float32)}
    feeds = {"a": a} | ({} if scale is None else {"scale": scale}) | ({} if zero is None else {"zero": zero})
    names = ["scale" if scale is not None else "", "zero" if zero is not None else ""]
    step = Step("gemm_int8", ["a", "w", "s", "", "", "", "", *names], ["y"], {"input": steps})
    with pytest.raises((PlanError, InputMismatchError)):
        run_steps([step], feeds, constants, ["y"])


GATED = """g (float[b, s, 24] x) => (float[b, s, 24] y) {
    q, s1, z = DynamicQuantizeLinear(x)
    i = MatMulInteger(q, gate, z) f = Cast<to = 1>(i) t = Mul(s1, scale) g = Mul(f, t) a = Sigmoid(g)
    j = MatMulInteger(q, up, z) h = Cast<to = 1>(j) u = Mul(s1, other) v = Mul(h, u)
    y = Mul(a, v)
}"""

WEIGHTS = {
    "gate": integers(24, 24), "up": integers(24, 24, seed=1), "scale": np.float32(0.01), "other": np.float32(0.02),
}  # fmt: skip


def test_gate_and_up_read_rows_that_are_quantized_once(tmp_path: Path) -> None:
    feed = {"x": normal(2, 7, 24)}
    found = lowered(model_of(GATED, **WEIGHTS), feed, tmp_path)
    assert found.kinds == ["Mul", "gemm_int8", "gemm_int8", "quantize_rows"]
    one = found.one("quantize_rows")
    for reader in (o for o in found.plan.operators if o.kind == "gemm_int8"):
        assert reader.inputs[0] == one.outputs[0]
        assert reader.inputs[7:] == one.outputs[1:]
        assert reader.inputs[5] >= 0  # its runs are still there
    assert found.error < 0.02
    without = lowered(model_of(GATED, **WEIGHTS), feed, tmp_path, LowerOptions(runs=False, row_levels=127))
    assert without.one("quantize_rows").attributes == {"high": 127}
    assert without.error < 0.04


def test_a_product_alone_quantizes_its_rows_itself(tmp_path: Path) -> None:
    graph = """g (float[b, 24] x) => (float[b, 24] g) {
        q, s1, z = DynamicQuantizeLinear(x)
        i = MatMulInteger(q, gate, z) f = Cast<to = 1>(i) t = Mul(s1, scale) g = Mul(f, t)
    }"""
    weights = {"gate": integers(24, 24), "scale": np.float32(0.01)}
    assert lowered(model_of(graph, **weights), {"x": normal(3, 24)}, tmp_path).kinds == ["gemm_int8"]


def test_a_plan_of_shared_rows_is_read_for_any_number_of_them(tmp_path: Path) -> None:
    lowered(model_of(GATED, **WEIGHTS), {"x": normal(1, 1, 24)}, tmp_path)
    session = Session(tmp_path / "plan", threads=2)
    whole = session.run([normal(3, 50, 24)])[0]
    for i in range(3):
        np.testing.assert_array_equal(session.run([normal(3, 50, 24)[i : i + 1]])[0], whole[i : i + 1])
