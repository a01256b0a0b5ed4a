"""Products: integer, at run time, float; what goes into them and what must stay outside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from speedwell.core.errors import UnsupportedError, UsageError
from speedwell.native import LowerOptions

from .lowered import Lowered, integers, lowered, model_of, normal

SCALE, ZERO = np.float32(0.05), np.uint8(130)
EXACT, ROUNDED = 2e-6, 0.02
"""Relative: floats summed in another order; a row's own range in place of the tensor's."""
X = normal(2, 5, 12)


def static(rest: str, signed: bool = False, outputs: str = "float[b, s, 8] y") -> str:
    zero = "int8" if signed else "uint8"
    return f"""g (float[b, s, 12] x) => ({outputs}) <float s = {{0.05}}, {zero} z = {{{2 if signed else 130}}}> {{
        q = QuantizeLinear(x, s, z)
        a = DequantizeLinear(q, s, z)
        {rest}
    }}"""


PER_COLUMN = "w = DequantizeLinear<axis=1>(wq, ws, wz)\n"
WEIGHT = {"wq": integers(12, 8), "ws": np.abs(normal(8)) * 0.01 + 0.001, "wz": np.zeros(8, np.int8)}


def test_two_dequantized_operands_are_an_integer_product(tmp_path: Path) -> None:
    proto = model_of(static(PER_COLUMN + "y = MatMul(a, w)"), **WEIGHT)
    found = lowered(proto, {"x": X}, tmp_path)
    assert found.kinds == ["gemm_int8", "quantize"]
    assert found.one("gemm_int8").attributes == {
        "input": {"scale": float(SCALE), "zero": int(ZERO), "low": 0, "high": 255}
    }  # fmt: skip
    assert found.error < EXACT


def test_its_bias_and_activation_go_into_it(tmp_path: Path) -> None:
    proto = model_of(static(PER_COLUMN + "p = MatMul(a, w)\nt = Add(c, p)\ny = Gelu(t)"), c=normal(1, 1, 8), **WEIGHT)
    found = lowered(proto, {"x": X}, tmp_path)
    assert found.kinds == ["gemm_int8", "quantize"]
    assert found.one("gemm_int8").attributes["activation"] == "gelu"
    assert found.error < 1e-5


def test_signed_activations_become_bytes(tmp_path: Path) -> None:
    proto = model_of(static(PER_COLUMN + "y = MatMul(a, w)", signed=True), **WEIGHT)
    found = lowered(proto, {"x": X}, tmp_path)
    assert found.kinds == ["gemm_int8", "quantize"]
    assert found.one("quantize").attributes["zero"] == ZERO
    assert found.error < EXACT


def test_signed_activations_stay_where_somebody_sees_the_integers(tmp_path: Path) -> None:
    graph = static(PER_COLUMN + "y = MatMul(a, w)\nr = Identity(q)", True, "float[b, s, 8] y, int8[b, s, 12] r")
    found = lowered(model_of(graph, **WEIGHT), {"x": X}, tmp_path)
    assert "gemm_int8" not in found.kinds
    assert found.error < EXACT


@pytest.mark.parametrize("zero", [0, 128], ids=["int8", "uint8"])
@pytest.mark.parametrize("turned", [False, True])
def test_a_gemm_with_factors_and_a_bias_in_integers(tmp_path: Path, zero: int, turned: bool) -> None:
    weight = integers(8, 12) if turned else integers(12, 8)
    held = weight if not zero else (weight.astype(np.int16) + 128).astype(np.uint8)
    graph = f"""g (float[m, 12] x) => (float[m, 8] y) <float s = {{0.05}}, uint8 z = {{130}}> {{
        q = QuantizeLinear(x, s, z)
        a = DequantizeLinear(q, s, z)
        w = DequantizeLinear<axis={0 if turned else -1}>(wq, ws, wz)
        c = DequantizeLinear<axis=0>(cq, cs)
        y = Gemm<transB={int(turned)}, alpha=0.5, beta=2.0>(a, w, c)
    }}"""
    proto = model_of(
        graph, wq=held, ws=WEIGHT["ws"], wz=np.full(8, zero, held.dtype), cq=integers(8).astype(np.int32),
        cs=np.abs(normal(8)),
    )  # fmt: skip
    found = lowered(proto, {"x": X[0]}, tmp_path)
    assert found.kinds == ["gemm_int8", "quantize"]
    assert found.error < EXACT


@pytest.mark.parametrize(
    "change",
    [
        {"wz": np.ones(8, np.int8)},
        {"axis": 0, "ws": np.abs(normal(12)) * 0.01, "wz": np.zeros(12, np.int8)},
    ],
    ids=["asymmetric", "a scale for each input"],
)
def test_a_weight_that_no_product_of_integers_can_take_is_taken_as_floats(tmp_path: Path, change: dict) -> None:
    weights = WEIGHT | {k: v for k, v in change.items() if k != "axis"}
    node = f"w = DequantizeLinear<axis={change.get('axis', 1)}>(wq, ws, wz)\n"
    found = lowered(model_of(static(node + "y = MatMul(a, w)"), **weights), {"x": X}, tmp_path)
    assert found.kinds == ["dequantize", "gemm_float", "quantize"]
    assert found.error < EXACT


def test_one_scale_per_column_that_is_the_same_everywhere_is_one_scale(tmp_path: Path) -> None:
    graph = static(PER_COLUMN + "b = DequantizeLinear<axis=2>(q, ss, zs)\ny = MatMul(b, w)")
    proto = model_of(graph, ss=np.full(12, SCALE), zs=np.full(12, ZERO), **WEIGHT)
    found = lowered(proto, {"x": X}, tmp_path)
    assert found.kinds == ["gemm_int8", "quantize"]
    assert found.error < EXACT


DYNAMIC = """g (float[b, s, 12] x) => (float[b, s, 8] y) {{
    q, s, z = DynamicQuantizeLinear(x)
    i = MatMulInteger(q, wq, z, wz)
    f = Cast<to=1>(i)
    {0}
}}"""
SPELLINGS = {
    "scales first": "t = Mul(s, ws)\np = Mul(f, t)\n",
    "one after the other": "t = Mul(f, s)\np = Mul(ws, t)\n",
    "weight first": "t = Mul(f, ws)\np = Mul(t, s)\n",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("levels", [255, 127])
def test_a_product_quantized_at_run_time(tmp_path: Path, spelling: str, levels: int) -> None:
    proto = model_of(DYNAMIC.format(SPELLINGS[spelling] + "y = Add(p, c)"), c=normal(8), **WEIGHT)
    found = lowered(proto, {"x": X}, tmp_path, LowerOptions(row_levels=levels))
    assert found.kinds == ["gemm_int8"]
    assert found.one("gemm_int8").attributes == {"input": {"rows": levels}}
    assert found.error < ROUNDED


def test_products_of_the_same_rows_may_share_their_scales(tmp_path: Path) -> None:
    graph = DYNAMIC.format("t = Mul(s, ws)\np = Mul(f, t)\nj = MatMulInteger(q, vq, z)\ng = Cast<to=1>(j)\n")
    proto = model_of(graph[:-1] + "r = Mul(g, t)\ny = Add(p, r)\n}", vq=-WEIGHT["wq"][::-1], **WEIGHT)
    found = lowered(proto, {"x": X}, tmp_path)
    assert "gemm_int8" in found.kinds
    assert found.error < ROUNDED


def test_another_scale_than_the_quantizer_s_is_no_such_product(tmp_path: Path) -> None:
    proto = model_of(DYNAMIC.format("t = Mul(s, ws)\nu = Mul(t, s)\ny = Mul(f, u)"), **WEIGHT)
    with pytest.raises(UnsupportedError, match=r"^unsupported: MatMulInteger$"):
        lowered(proto, {"x": X}, tmp_path)


def test_bytes_of_a_known_scale_need_no_quantizer(tmp_path: Path) -> None:
    graph = """g (int64[b, s] ids) => (float[b, s, 8] y) <uint8 z = {130}> {
        q = Gather(table, ids)
        i = MatMulInteger(q, wq, z, wz)
        f = Cast<to=1>(i)
        y = Mul(f, ws)
    }"""
    table = np.arange(240, dtype=np.uint8).reshape(20, 12)
    found = lowered(model_of(graph, table=table, **WEIGHT), {"ids": np.array([[0, 7], [19, 3]])}, tmp_path)
    assert found.kinds == ["Gather", "gemm_int8"]
    assert found.error < EXACT


def test_row_levels_are_255_127_or_left_to_the_file() -> None:
    with pytest.raises(UsageError, match="row_levels is 200"):
        LowerOptions(row_levels=200)


def floats(tmp_path: Path, rest: str, outputs: str = "float[b, s, 8] y", **weights: np.ndarray) -> Lowered:
    graph = f"g (float[b, s, 12] x, float[b, s, 8] r, float[1, s, 8] one) => ({outputs}) {{ {rest} }}"
    proto = model_of(graph, **({"w": normal(12, 8)} | weights))
    return lowered(proto, {"x": X, "r": normal(2, 5, 8), "one": normal(1, 5, 8)}, tmp_path)


def test_a_float_product_takes_bias_residual_and_activation_in_that_order(tmp_path: Path) -> None:
    found = floats(tmp_path, "p = MatMul(x, w) t = Add(p, c) u = Add(r, t) y = Relu(u)", c=normal(8))
    assert found.kinds == ["gemm_float"]
    assert found.one("gemm_float").attributes == {"activation": "relu"}
    assert len(found.one("gemm_float").inputs) == 4
    assert found.error < EXACT


@pytest.mark.parametrize(
    ("rest", "name"),
    [
        ("y = Relu(p)", "relu"),
        ("y = Tanh(p)", "tanh"),
        ("y = Sigmoid(p)", "sigmoid"),
        ("y = HardSwish(p)", "hard_swish"),
        ("y = Gelu(p)", "gelu"),
        ('y = Gelu<approximate = "tanh">(p)', "gelu_tanh"),
        ("y = Clip(p, zero, six)", "relu6"),
        ("y = Clip(p, zero)", "relu"),
        ("g = Sigmoid(p) y = Mul(g, p)", "silu"),
        ("s = Mul(p, quick) g = Sigmoid(s) y = Mul(g, p)", "quick_gelu"),
        ("s = Mul(quick, p) g = Sigmoid(s) y = Mul(p, g)", "quick_gelu"),
        ("g = HardSigmoid<alpha = 0.16666667, beta = 0.5>(p) y = Mul(p, g)", "hard_swish"),
        ("a = Div(p, root) e = Erf(a) o = Add(e, unit) h = Mul(p, o) y = Mul(h, half)", "gelu"),
        ("a = Mul(p, inverse) e = Erf(a) o = Add(unit, e) h = Mul(half, p) y = Mul(h, o)", "gelu"),
        (
            "c = Pow(p, three) d = Mul(c, small) f = Add(p, d) a = Mul(f, wide) e = Tanh(a) o = Add(unit, e)"
            " h = Mul(half, p) y = Mul(h, o)",
            "gelu_tanh",
        ),
        (
            "q = Mul(p, p) d = Mul(q, small) f = Add(unit, d) k = Mul(p, wide) a = Mul(k, f) e = Tanh(a)"
            " o = Add(e, unit) m = Mul(p, o) y = Mul(m, half)",
            "gelu_tanh",
        ),
    ],
)
def test_activations_however_they_are_written(tmp_path: Path, rest: str, name: str) -> None:
    numbers = {
        "zero": 0, "six": 6, "root": 2**0.5, "inverse": 0.5**0.5, "unit": 1, "half": 0.5, "three": 3, "small": 0.044715,
        "wide": (2 / np.pi) ** 0.5, "quick": 1.702,
    }  # fmt: skip
    found = floats(tmp_path, "p = MatMul(x, w) " + rest, **{k: np.float32(v) for k, v in numbers.items()})
    assert found.kinds == ["gemm_float"]
    assert found.one("gemm_float").attributes == {"activation": name}
    assert found.error < 1e-5


@pytest.mark.parametrize(
    "rest",
    [
        "p = MatMul(x, w) a = Relu(p) y = Add(a, p)",  # somebody else reads the sum before the activation
        "p = MatMul(x, w) g = Sigmoid(r) y = Mul(g, p)",  # another gate
        "p = MatMul(x, w) y = Clip(p, low, six)",  # not from zero
        "p = MatMul(x, w) s = Mul(p, low) g = Sigmoid(s) y = Mul(g, p)",  # another number than 1.702
        "p = MatMul(x, w) a = Mul(p, six) e = Erf(a) o = Add(e, six) h = Mul(p, o) y = Mul(h, low)",  # other numbers
    ],
)
def test_what_only_looks_like_an_activation_stays(tmp_path: Path, rest: str) -> None:
    found = floats(tmp_path, rest, low=np.float32(0.5), six=np.float32(6))
    assert "activation" not in found.one("gemm_float").attributes
    assert found.error < EXACT


@pytest.mark.parametrize(
    "rest",
    [
        "p = MatMul(x, w) y = Add(p, one)",  # broadcasts along the batch
        "p = MatMul(x, w) a = Relu(p) y = Add(a, r)",  # comes after the activation
        "p = MatMul(x, w) t = Add(p, r) y = Mul(t, p)",  # the product is read before
    ],
)
def test_what_is_no_residual_stays_an_addition(tmp_path: Path, rest: str) -> None:
    found = floats(tmp_path, rest)
    assert "Add" in found.kinds
    assert len(found.one("gemm_float").inputs) == 2
    assert found.error < EXACT


def test_a_column_vector_that_adds_a_dimension_is_no_bias(tmp_path: Path) -> None:
    found = floats(tmp_path, "p = MatMul(x, w) y = Add(p, c)", "float[1, b, s, 8] y", c=normal(1, 1, 1, 8))
    assert found.kinds == ["Add", "gemm_float"]
    assert found.error < EXACT


def test_a_product_that_is_an_output_keeps_its_own_numbers(tmp_path: Path) -> None:
    found = floats(tmp_path, "p = MatMul(x, w) y = Relu(p)", "float[b, s, 8] y, float[b, s, 8] p")
    assert found.kinds == ["Relu", "gemm_float"]
    assert found.error < EXACT


def test_a_gemm_that_no_product_takes_comes_apart(tmp_path: Path) -> None:
    graph = """g (float[k, m] a, float[n, k] b, float[m, 1] c) => (float[m, n] y) {
        y = Gemm<transA=1, transB=1, alpha=0.5, beta=3.0>(a, b, c)
    }"""
    found = lowered(model_of(graph), {"a": normal(4, 3), "b": normal(5, 4), "c": normal(3, 1)}, tmp_path)
    assert found.kinds == ["Add", "MatMul", "Mul", "Mul", "Transpose", "Transpose"]
    assert found.error < EXACT


def test_a_gemm_with_a_computed_addend_adds_it_behind_the_product(tmp_path: Path) -> None:
    graph = "g (float[m, 12] x, float[m, 1] c) => (float[m, 8] y) { y = Gemm<beta=2.0>(x, w, c) }"
    found = lowered(model_of(graph, w=normal(12, 8)), {"x": X[0], "c": normal(5, 1)}, tmp_path)
    assert found.kinds == ["Add", "Mul", "gemm_float"]
    assert found.error < EXACT


@pytest.mark.parametrize("bias", ["t = Add(p, c)", "t = Identity(p)"])
def test_a_factor_for_each_column_goes_into_the_weight(tmp_path: Path, bias: str) -> None:
    weights = {"f": normal(8, seed=2)} | ({"c": normal(8)} if "c)" in bias else {})
    found = floats(tmp_path, f"p = MatMul(x, w) {bias} u = Mul(f, t) y = Add(u, r)", **weights)
    assert found.kinds == ["gemm_float"]
    assert found.error < EXACT


def test_a_factor_for_each_column_goes_into_the_scales(tmp_path: Path) -> None:
    graph = static(PER_COLUMN + "p = MatMul(a, w)\nt = Add(p, c)\ny = Mul(t, f)")
    found = lowered(model_of(graph, c=normal(8), f=normal(8, seed=2), **WEIGHT), {"x": X}, tmp_path)
    assert found.kinds == ["gemm_int8", "quantize"]
    assert found.error < EXACT


@pytest.mark.parametrize("what", ["Mul(p, one)", "Mul(p, p)"])
def test_a_factor_that_is_computed_stays(tmp_path: Path, what: str) -> None:
    found = floats(tmp_path, f"p = MatMul(x, w) y = {what}")
    assert found.kinds == ["Mul", "gemm_float"]
    assert found.error < EXACT


def test_rows_that_were_flattened_for_a_gemm_are_not(tmp_path: Path) -> None:
    body = """f = Reshape(x, rows) g = Gemm(f, w, c) b = Shape<start = 0, end = 2>(x) n = Concat<axis = 0>(b, eight)
        t = Reshape(g, n) y = Add(t, r)"""
    numbers = {"rows": np.array([-1, 12]), "eight": np.array([8])}
    found = floats(tmp_path, body, c=normal(8), **numbers)
    assert found.kinds == ["gemm_float"]
    assert len(found.one("gemm_float").inputs) == 4
    assert found.error < EXACT


def test_rows_that_are_cut_another_way_are_flattened_before(tmp_path: Path) -> None:
    graph = "g (float[b, s, 12] x) => (float[m, 8] y) { f = Reshape(x, rows) y = MatMul(f, w) }"
    proto = model_of(graph, w=normal(6, 8), rows=np.array([-1, 6]))
    found = lowered(proto, {"x": X}, tmp_path)
    assert found.kinds == ["Reshape", "gemm_float"]
    assert found.plan.operators[0].kind == "Reshape"
    assert found.error < EXACT


def test_bytes_are_made_where_every_reader_takes_the_same(tmp_path: Path) -> None:
    tail = (
        PER_COLUMN
        + """p = MatMul(a, w)
        pq = QuantizeLinear(p, s2, z)
        pd = DequantizeLinear(pq, s2, z)
        v = DequantizeLinear(vq, vs)
        y = MatMul(pd, v)"""
    )
    more = {"s2": np.float32(0.02), "vq": integers(8, 8, seed=3), "vs": np.float32(0.01)}
    found = lowered(model_of(static(tail), **WEIGHT, **more), {"x": X}, tmp_path)
    assert found.kinds == ["gemm_int8", "gemm_int8", "quantize"]
    assert found.plan.operators[1].attributes["out"]["scale"] == float(np.float32(0.02))
    assert found.error < EXACT
    both = tail.replace("y = MatMul(pd, v)", "m = MatMul(pd, v)\ny = Add(m, p)")
    found = lowered(model_of(static(both), **WEIGHT, **more), {"x": X}, tmp_path)
    assert found.kinds == ["gemm_int8", "gemm_int8", "quantize", "quantize"]
    assert found.error < EXACT
