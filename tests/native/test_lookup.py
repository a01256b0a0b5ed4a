"""Bytes through a table: the kernel at every edge of a vector, and what lowering makes a table of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedwell.core.errors import PlanError, UnsupportedError
from speedwell.native import supported_isas

from .lowered import lowered, model_of
from .plans import Step, run_operator, run_steps

EVERY = np.arange(256, dtype=np.uint8)
X = np.linspace(-9, 9, 3 * 257, dtype=np.float32).reshape(3, 257)
OUT = {"scale": 0.05, "zero": 20, "low": 0, "high": 255}


def graph(between: str, second: str = "") -> str:
    return f"""g (float[n, k] x) => (uint8[n, k] y)
        <float s = {{0.07}}, uint8 z = {{128}}, float t = {{0.05}}, uint8 u = {{20}}, float c = {{1.702}}> {{
        q = QuantizeLinear(x, s, z)
        a = DequantizeLinear(q, s, z)
        {second}
        {between}
        y = QuantizeLinear(b, t, u)
    }}"""


@pytest.mark.parametrize("isa", supported_isas())
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 300))
def test_every_byte_is_what_the_table_says(isa: str, seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    table, x = rng.integers(0, 256, 256, np.uint8), rng.integers(0, 256, n, np.uint8)
    (y,) = run_operator("lookup", [x, table], constants={1}, isa=isa)
    np.testing.assert_array_equal(y, table[x])


@pytest.mark.parametrize("isa", supported_isas())
def test_each_of_the_256_is_found_at_each_place_of_a_vector(isa: str) -> None:
    table = EVERY[::-1] ^ 0x5A
    x = np.stack([np.roll(EVERY, i) for i in range(64)])
    (y,) = run_operator("lookup", [x, table], constants={1}, isa=isa, threads=2)
    np.testing.assert_array_equal(y, table[x])


@pytest.mark.parametrize(
    "between",
    ["b = Gelu(a)", "b = Sigmoid(a)", "g = Sigmoid(a)\nb = Mul(a, g)", "m = Mul(c, a)\ng = Sigmoid(m)\nb = Mul(a, g)",
     "b = HardSwish(a)", "b = Relu(a)", "b = Identity(a)"],
)  # fmt: skip
def test_what_looks_at_one_element_alone_is_a_table(between: str, tmp_path: Path) -> None:
    found = lowered(model_of(graph(between)), {"x": X}, tmp_path)
    assert found.kinds == ["lookup", "quantize"]
    assert found.one("lookup").attributes["out"] == {**OUT, "scale": float(np.float32(0.05))}
    assert found.facts.rewritten["lookup"] == 1


def test_two_quantized_tensors_are_no_table(tmp_path: Path) -> None:
    second = "r = Abs(x)\nrq = QuantizeLinear(r, s, z)\nd = DequantizeLinear(rq, s, z)"
    found = lowered(model_of(graph("b = Mul(a, d)", second)), {"x": X}, tmp_path)
    assert "lookup" not in found.kinds


def test_a_vector_of_numbers_is_no_table(tmp_path: Path) -> None:
    proto = model_of(graph("b = Mul(a, w)"), w=np.linspace(0, 1, 257, dtype=np.float32))
    assert "lookup" not in lowered(proto, {"x": X}, tmp_path).kinds


def test_a_number_with_more_axes_than_the_tensor_is_no_table(tmp_path: Path) -> None:
    text = graph("b = Mul(a, w)").replace("uint8[n, k] y", "uint8[1, n, k] y")
    assert "lookup" not in lowered(model_of(text, w=np.full((1, 1, 1), 2, np.float32)), {"x": X}, tmp_path).kinds


def test_who_else_reads_the_floats_still_has_them(tmp_path: Path) -> None:
    text = graph("b = Gelu(a)").replace("(uint8[n, k] y)", "(uint8[n, k] y, float[n, k] b)")
    found = lowered(model_of(text), {"x": X}, tmp_path)
    assert found.kinds == ["Gelu", "dequantize", "lookup", "quantize"]
    assert found.error < 1e-6


def test_tables_share_a_plan_and_keep_apart(tmp_path: Path) -> None:
    text = """g (float[n, k] x) => (uint8[n, k] y, uint8[n, k] w)
        <float s = {0.07}, uint8 z = {128}, float t = {0.05}, uint8 u = {20}> {
        q = QuantizeLinear(x, s, z)
        a = DequantizeLinear(q, s, z)
        b = Gelu(a)
        y = QuantizeLinear(b, t, u)
        c = DequantizeLinear(y, t, u)
        d = Tanh(c)
        w = QuantizeLinear(d, t, u)
    }"""
    found = lowered(model_of(text), {"x": X}, tmp_path)
    assert found.kinds == ["lookup", "lookup", "quantize"]


@pytest.mark.parametrize("between", ["e = Mish(a)\nb = Identity(e)", "b = Pow(a, e)"])
def test_what_the_executor_lacks_is_still_named_with_all_else(between: str, tmp_path: Path) -> None:
    text = graph(between).replace("=> (", "=> (float m, ").replace("b = ", "m = Det(x)\n        b = ", 1)
    with pytest.raises(UnsupportedError, match="Det") as raised:
        lowered(model_of(text, **({} if "Mish" in between else {"e": np.float64(2)})), {"x": X}, tmp_path)
    assert ("Mish" if "Mish" in between else "float64") in str(raised.value)


@pytest.mark.parametrize(
    ("table", "out"),
    [(EVERY[:255], OUT), (EVERY.astype(np.int8), OUT), (EVERY.reshape(16, 16), OUT), (EVERY, {**OUT, "high": 254})],
)
def test_a_wrong_table_is_refused(table: np.ndarray, out: dict[str, float]) -> None:
    with pytest.raises(PlanError):
        run_operator("lookup", [EVERY, table], {"out": out}, constants={1})


def test_a_table_that_is_not_known_is_refused() -> None:
    with pytest.raises(PlanError):
        run_operator("lookup", [EVERY, EVERY], {"out": OUT}, constants=())


def test_what_others_say_of_their_bytes_is_not_believed() -> None:
    steps = {"scale": 1.0, "zero": 0, "low": 0, "high": 10}
    moved = Step("Gather", ["x", "i"], ["q"], {"axis": 0, "out": steps})
    product = Step("gemm_int8", ["q", "w", "s"], ["y"], {"input": steps})
    held = {"i": np.arange(4), "w": np.ones((1, 4), np.int8), "s": np.ones(1, np.float32)}
    with pytest.raises(PlanError, match="may reach 255"):
        run_steps([moved, product], {"x": EVERY.reshape(64, 4)}, held, ["y"])


def test_products_count_on_what_the_table_holds() -> None:
    weight, scale = np.full((1, 4), 1, np.int8), np.ones(1, np.float32)
    steps = {"scale": 1.0, "zero": 0, "low": 0, "high": 127}

    def run(out: dict[str, float]) -> np.ndarray:
        tables = Step("lookup", ["x", "t"], ["q"], {"out": out})
        product = Step("gemm_int8", ["q", "w", "s"], ["y"], {"input": steps})
        held = {"t": np.minimum(EVERY, 127), "w": weight, "s": scale}
        return run_steps([tables, product], {"x": EVERY.reshape(64, 4)}, held, ["y"])[0]

    np.testing.assert_array_equal(run(steps), np.minimum(EVERY.reshape(64, 4), 127).sum(1, keepdims=True))
    with pytest.raises(PlanError, match="may reach 255"):
        run({**steps, "high": 255})
