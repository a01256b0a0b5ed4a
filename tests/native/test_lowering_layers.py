"""Normalizations, quantized tensors, movement, patches, masks and constants."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from speedwell.core.errors import UnsupportedError
from speedwell.native import lower

from .lowered import BUILT, Lowered, integers, lowered, model_of, normal

X = normal(2, 5, 12)
NORM = {"gamma": normal(12), "beta": normal(12)}
STEPS = "<float s = {0.05}, uint8 z = {130}>"


def run(
    tmp_path: Path, body: str, outputs: str = "float[b, s, 12] y", head: str = "", **weights: np.ndarray
) -> Lowered:
    graph = f"g (float[b, s, 12] x, float[b, s, 12] r, float[1, s, 12] one) => ({outputs}) {head} {{ {body} }}"
    feeds = {"x": X, "r": normal(2, 5, 12, seed=1), "one": normal(1, 5, 12)}
    return lowered(model_of(graph, **weights), feeds, tmp_path)


# Normalization


def test_a_sum_and_its_normalization_are_one_operator(tmp_path: Path) -> None:
    found = run(tmp_path, "a = Add(x, r) y = LayerNormalization<axis = -1, epsilon = 0.001>(a, gamma, beta)", **NORM)
    assert found.kinds == ["layer_norm"]
    assert found.one("layer_norm").attributes == {"epsilon": pytest.approx(0.001)}
    assert found.error < 1e-5


def test_the_sum_is_given_too_where_it_is_read_again(tmp_path: Path) -> None:
    body = "a = Add(x, r) n = LayerNormalization<axis = 2>(a, gamma) t = Tanh(n) y = Add(a, t)"
    found = run(tmp_path, body, gamma=NORM["gamma"])
    assert found.kinds == ["Add", "Tanh", "layer_norm"]
    assert len(found.one("layer_norm").outputs) == 3
    assert found.error < 1e-5


def test_the_sum_may_be_an_output_itself(tmp_path: Path) -> None:
    body = "a = Add(x, r) y = LayerNormalization(a, gamma)"
    found = run(tmp_path, body, "float[b, s, 12] y, float[b, s, 12] a", gamma=NORM["gamma"])
    assert found.kinds == ["layer_norm"]
    assert found.error < 1e-5


@pytest.mark.parametrize(
    ("body", "kinds"),
    [
        ("a = Add(x, one) y = LayerNormalization(a, gamma)", ["Add", "layer_norm"]),
        ("a = Add(x, beta) y = LayerNormalization(a, gamma)", ["Add", "layer_norm"]),
        ("y = LayerNormalization<axis = 1>(x, whole)", ["LayerNormalization"]),
    ],
    ids=["a residual that broadcasts", "a constant", "over two axes"],
)
def test_sums_that_are_no_residual_stay(tmp_path: Path, body: str, kinds: list[str]) -> None:
    weights = {k: v for k, v in (NORM | {"whole": normal(5, 12)}).items() if k in body}
    found = run(tmp_path, body, **weights)
    assert found.kinds == kinds
    assert found.error < 1e-5


QUANTIZED = """n = LayerNormalization(x, gamma) q = QuantizeLinear(n, s, z) d = DequantizeLinear(q, s, z)
    w = DequantizeLinear<axis = 1>(wq, ws) p = MatMul(d, w)"""


@pytest.mark.parametrize(("tail", "floats"), [("y = Identity(p)", False), ("y = Add(p, n)", True)])
def test_a_normalization_gives_bytes_and_floats_where_both_are_read(tmp_path: Path, tail: str, floats: bool) -> None:
    weights = {"gamma": NORM["gamma"], "wq": integers(12, 12), "ws": np.full(12, 0.01, np.float32)}
    found = run(tmp_path, QUANTIZED + tail, head=STEPS, **weights)
    assert found.kinds == ["gemm_int8", "layer_norm"]
    outputs = found.one("layer_norm").outputs
    assert (outputs[0] >= 0) == floats
    assert outputs[1] >= 0
    assert found.error < 1e-5


# Quantized tensors


def test_a_pair_before_floats_stays_exact(tmp_path: Path) -> None:
    found = run(tmp_path, "q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z) y = Tanh(d)", head=STEPS)
    assert found.kinds == ["Tanh", "dequantize", "quantize"]
    assert found.error < 1e-6


def test_a_second_pair_of_the_same_steps_goes(tmp_path: Path) -> None:
    body = """q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z) t = Transpose<perm = [1, 0, 2]>(d)
        u = QuantizeLinear(t, s, z) v = DequantizeLinear(u, s, z) y = Tanh(v)"""
    found = run(tmp_path, body, "float[s, b, 12] y", STEPS)
    assert found.kinds == ["Tanh", "Transpose", "dequantize", "quantize"]
    assert found.error < 1e-6


def test_a_second_pair_of_other_steps_is_a_table(tmp_path: Path) -> None:
    body = """q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z)
        u = QuantizeLinear(d, s2, z) y = DequantizeLinear(u, s2, z)"""
    found = run(tmp_path, body, head=STEPS, s2=np.float32(0.07))
    assert found.kinds == ["dequantize", "lookup", "quantize"]
    assert found.error < 1e-6


@pytest.mark.parametrize("scale", [0.0, -0.1, 1e-42, np.inf, np.nan])
def test_steps_that_are_no_steps_are_left_to_onnx_s_own_operator(tmp_path: Path, scale: float) -> None:
    import onnx

    from speedwell.native import lower

    body = "q = QuantizeLinear(x, t, z) y = DequantizeLinear(q, s, z)"
    graph = f"g (float[b, 12] x) => (float[b, 12] y) {STEPS} {{ {body} }}"
    onnx.save(model_of(graph, t=np.float32(scale)), tmp_path / "m.onnx")
    assert "QuantizeLinear" in lower(tmp_path / "m.onnx", tmp_path).operators


def test_a_scale_for_each_channel_is_left_to_onnx_s_own_operators(tmp_path: Path) -> None:
    body = "q = QuantizeLinear<axis = 2>(x, ss, zs) y = DequantizeLinear<axis = 2>(q, ss, zs)"
    found = run(tmp_path, body, ss=np.abs(normal(12)) + 0.01, zs=np.arange(12, dtype=np.uint8))
    assert found.kinds == ["DequantizeLinear", "QuantizeLinear"]
    assert found.error < 1e-6


def test_a_quantized_constant_becomes_floats(tmp_path: Path) -> None:
    found = run(tmp_path, "w = DequantizeLinear<axis = 0>(wq, ws, wz) y = Mul(x, w)", wq=integers(12),
                ws=np.abs(normal(12)), wz=integers(12, seed=1))  # fmt: skip
    assert found.kinds == ["Mul"]
    assert found.error < 1e-6


# Movement


@pytest.mark.parametrize(
    ("body", "kinds"),
    [
        ("t = Transpose<perm = [0, 2, 1]>(x) y = Transpose<perm = [0, 2, 1]>(t)", []),
        ("t = Transpose<perm = [2, 0, 1]>(x) u = Transpose<perm = [1, 2, 0]>(t) y = Tanh(u)", ["Tanh"]),
        ("t = Transpose<perm = [2, 0, 1]>(x) y = Transpose<perm = [2, 0, 1]>(t)", ["Transpose"]),
        ("t = Reshape(x, heads) u = Reshape(t, flat) y = Tanh(u)", ["Tanh"]),
        ("t = Reshape(x, line) u = Reshape(t, back) y = Tanh(u)", ["Reshape", "Reshape", "Tanh"]),
    ],
    ids=["undone", "undone in a circle", "turned on", "reshaped and back", "sizes that are not certain"],
)
def test_movement(tmp_path: Path, body: str, kinds: list[str]) -> None:
    sizes = {"heads": [0, 0, 3, 4], "flat": [0, 0, -1], "line": [-1, 12], "back": [2, 5, 12]}
    weights = {k: np.array(v) for k, v in sizes.items() if k in body}
    found = run(tmp_path, body, "float[p, q, r] y", **weights)
    assert found.kinds == kinds
    assert found.error < 1e-6


def test_a_shape_that_is_put_together_from_the_input_s_is_the_input_s(tmp_path: Path) -> None:
    body = """shape = Shape(x) b = Gather(shape, zeroth) rest = Slice(shape, from1, end)
        b1 = Unsqueeze(b, from0) t = Reshape(x, line) whole = Concat<axis = 0>(b1, rest) u = Reshape(t, whole)
        y = Tanh(u)"""
    numbers = {
        "zeroth": np.array(0), "from0": np.array([0]), "from1": np.array([1]), "end": np.array([2**63 - 1]),
        "line": np.array([-1]),
    }  # fmt: skip
    found = run(tmp_path, body, **numbers)
    assert found.kinds == ["Tanh"]
    assert found.error < 1e-6


# Patches

EMBED = "c = Conv<strides = [4, 4], kernel_shape = [4, 4]>(x, w{bias})"
IMAGE = normal(2, 3, 8, 12)
LINE = " f = Reshape(c, flat) y = Transpose<perm = [0, 2, 1]>(f)"
FLAT = {"flat": np.array([0, 8, -1])}


def embed(
    tmp_path: Path, body: str, output: str = "float[b, 6, 8] y", head: str = "", **weights: np.ndarray
) -> Lowered:
    graph = f"g (float[b, 3, 8, 12] x) => ({output}) {head} {{ {body} }}"
    return lowered(model_of(graph, **weights), {"x": IMAGE}, tmp_path)


@pytest.mark.parametrize("bias", [True, False])
def test_patches_side_by_side_are_one_product(tmp_path: Path, bias: bool) -> None:
    weights = {"w": normal(8, 3, 4, 4), **FLAT} | ({"bias": normal(8)} if bias else {})
    found = embed(tmp_path, EMBED.format(bias=", bias" if bias else "") + LINE, **weights)
    assert found.kinds == ["Reshape", "Reshape", "Transpose", "gemm_float"]
    assert found.error < 1e-5


def test_patches_of_bytes_are_moved_as_bytes(tmp_path: Path) -> None:
    body = """q = QuantizeLinear(x, s, z) a = DequantizeLinear(q, s, z) w = DequantizeLinear<axis = 0>(wq, ws, wz)
        bias = DequantizeLinear<axis = 0>(cq, cs) c = Conv<strides = [4, 4]>(a, w, bias)
        e = QuantizeLinear(c, s2, z) d = DequantizeLinear(e, s2, z) f = Reshape(d, flat)
        g = QuantizeLinear(f, s2, z) h = DequantizeLinear(g, s2, z) y = Transpose<perm = [0, 2, 1]>(h)"""
    found = embed(
        tmp_path, body, head=STEPS, wq=integers(8, 3, 4, 4), ws=np.abs(normal(8)) * 0.01, wz=np.zeros(8, np.int8),
        cq=integers(8).astype(np.int32), cs=np.abs(normal(8)) * 0.01, s2=np.float32(0.03), **FLAT,
    )  # fmt: skip
    assert found.kinds == ["Reshape", "Reshape", "Transpose", "dequantize", "gemm_int8", "quantize"]
    assert "out" in found.one("gemm_int8").attributes
    assert found.error < 1e-6


def test_patches_quantized_at_run_time(tmp_path: Path) -> None:
    body = """q, s, z = DynamicQuantizeLinear(x) i = ConvInteger<strides = [4, 4]>(q, wq, z, wz) f0 = Cast<to = 1>(i)
        t = Mul(s, ws) p = Mul(f0, t) c = Add(p, bias)"""
    weights = {
        "wq": integers(8, 3, 4, 4), "ws": np.float32(0.01), "wz": np.zeros((), np.int8), "bias": normal(1, 8, 1, 1),
    }  # fmt: skip
    found = embed(tmp_path, body + LINE, **weights, **FLAT)
    assert found.kinds == ["Reshape", "Reshape", "Transpose", "gemm_int8"]
    assert found.one("gemm_int8").attributes == {"input": {"rows": 255}}
    assert found.error < 0.02


@pytest.mark.parametrize(
    "how",
    [
        "strides = [2, 2]",
        "strides = [4, 4], pads = [1, 1, 1, 1]",
        "strides = [3, 4]",
        "strides = [4, 4], dilations = [1, 2]",
    ],
)
def test_other_convolutions_are_no_patches(tmp_path: Path, how: str) -> None:
    graph = f"g (float[b, 3, 8, 12] x) => (float[b, 8, p, q] y) {{ y = Conv<{how}>(x, w) }}"
    onnx.save(model_of(graph, w=normal(8, 3, 4, 4)), tmp_path / "m.onnx")
    if BUILT:
        with pytest.raises(UnsupportedError, match=r"^unsupported: Conv$"):
            lower(tmp_path / "m.onnx", tmp_path)
    else:
        assert lower(tmp_path / "m.onnx", tmp_path).operators == {"Conv": 1}


# Pooling and resizing


@pytest.mark.parametrize(("pool", "kind"), [("GlobalAveragePool", "ReduceMean"), ("GlobalMaxPool", "ReduceMax")])
@pytest.mark.parametrize("sizes", [(2, 3, 4), (2, 3, 4, 5)])
def test_pooling_over_everything_is_a_reduction(tmp_path: Path, pool: str, kind: str, sizes: tuple[int, ...]) -> None:
    inner = ", ".join(map(str, sizes[1:]))
    ones = ", ".join("1" for _ in sizes[2:])
    graph = f"g (float[b, {inner}] x) => (float[b, 3, {ones}] y) {{ y = {pool}(x) }}"
    found = lowered(model_of(graph), {"x": normal(*sizes)}, tmp_path)
    assert found.kinds == [kind]
    assert found.error < 1e-6


def test_a_table_that_is_stretched_to_fixed_sizes_is_stretched_once(tmp_path: Path) -> None:
    """BEiT's positions. What depends on the inputs is named as unsupported."""
    graph = """g (float[b, 3, 6, 4] x) => (float[b, 3, 6, 4] y) {
        t = Resize<mode = "linear", coordinate_transformation_mode = "half_pixel">(table, , , sizes)
        y = Add(x, t)
    }"""
    weights = {"table": normal(1, 3, 5, 5), "sizes": np.array([1, 3, 6, 4])}
    found = lowered(model_of(graph, **weights), {"x": normal(2, 3, 6, 4)}, tmp_path)
    assert found.kinds == ["Add"]
    assert found.error < 1e-5
    onnx.save(model_of(graph.replace("table", "x"), **weights), tmp_path / "m.onnx")
    with pytest.raises(UnsupportedError, match=r"^unsupported: Resize$"):
        lower(tmp_path / "m.onnx", tmp_path / "other")


# Constants


def test_what_constants_alone_decide_is_computed_once(tmp_path: Path) -> None:
    body = "t = Transpose<perm = [1, 0]>(w) u = Mul(t, half) p = MatMul(x, u) k = Sqrt(four) y = Mul(p, k)"
    found = run(tmp_path, body, w=normal(12, 12), half=np.float32(0.5), four=np.float32(4))
    assert found.kinds == ["gemm_float"]
    assert found.error < 1e-5


def test_a_small_constant_is_not_blown_up(tmp_path: Path) -> None:
    graph = "g (float[b, 1] x) => (float[b, 40000] y) { e = Expand(one, wide) y = Mul(x, e) }"
    proto = model_of(graph, one=np.ones(1, np.float32), wide=np.array([40000]))
    found = lowered(proto, {"x": normal(2, 1)}, tmp_path)
    assert found.kinds == ["Expand", "Mul"]
    assert found.facts.weight_bytes < 100
    small = model_of(graph.replace("40000", "100"), one=np.ones(1, np.float32), wide=np.array([100]))
    assert lowered(small, {"x": normal(2, 1)}, tmp_path).kinds == ["Mul"]


def test_the_same_computed_twice_is_computed_once(tmp_path: Path) -> None:
    found = run(tmp_path, "a = Tanh(x) b = Tanh(x) c = Mul(a, two) d = Mul(b, zwei) y = Add(c, d)", two=np.float32(2),
                zwei=np.float32(2))  # fmt: skip
    assert found.kinds == ["Add", "Mul", "Tanh"]
    assert found.error < 1e-6


def test_what_does_nothing_goes(tmp_path: Path) -> None:
    body = "a = Identity(x) b = Cast<to = 1>(a) c = Dropout(b) d = Concat<axis = 1>(c) y = Tanh(d)"
    found = run(tmp_path, body)
    assert found.kinds == ["Tanh"]
    assert found.error < 1e-6


# Masks

HF_MASK = """
    seen = Cast<to = 9>(mask) shape = Shape(mask) b = Gather(shape, zeroth) s = Gather(shape, first)
    rows = Range(zeroth, b, first) r4 = Unsqueeze(rows, behind)
    columns = Range(zeroth, s, first) c4 = Unsqueeze(columns, before)
    large = Max(r4, c4) whole = Shape(large) re = Expand(r4, whole) ce = Expand(c4, whole)
    r5 = Unsqueeze(re, last) c5 = Unsqueeze(ce, last) at = Concat<axis = -1>(r5, c5) g = GatherND(seen, at)
    q4 = Unsqueeze(columns, beside) ge = GreaterOrEqual(q4, zeroth) always = And(yes, ge) m = And(always, g)
    hidden = Where(m, zero, never)
    q3 = Unsqueeze(x, first1) sc = MatMul(q3, kt) sm = Add(sc, hidden) p = Softmax<axis = -1>(sm) o = MatMul(p, q3)
    y = Squeeze(o, first1)
"""


def test_a_mask_of_hugging_face_s_is_a_reshape(tmp_path: Path) -> None:
    numbers = {
        "zeroth": np.array(0), "first": np.array(1), "behind": np.array([1, 2, 3]), "before": np.array([0, 1, 2]),
        "last": np.array([-1]), "beside": np.array([0, 1, 3]), "yes": np.array(True), "zero": np.float32(0),
        "never": np.float32(-np.inf), "first1": np.array([1]),
    }  # fmt: skip
    body = HF_MASK.replace("sc = MatMul(q3, kt)", "kt = Transpose<perm = [0, 1, 3, 2]>(q3) sc = MatMul(q3, kt)")
    graph = f"g (float[b, s, 12] x, int64[b, s] mask) => (float[b, s, 12] y) {{ {body} }}"
    mask = np.array([[1, 1, 1, 0, 0], [1, 0, 1, 1, 1]])
    found = lowered(model_of(graph, **numbers), {"x": X, "mask": mask}, tmp_path)
    assert found.kinds == ["Cast", "Unsqueeze", "Where", "attention"]
    assert found.error < 1e-5


@pytest.mark.parametrize("size", ["b = Shape<start = 0, end = 1>(x)", "b = Identity(one)"])
def test_a_mask_that_hides_nothing_goes(tmp_path: Path, size: str) -> None:
    body = f"""{size} whole = Concat<axis = 0>(b, one, fives) e = Expand(yes, whole) seen = And(e, yes)
        hidden = Where(seen, zero, never) q = Unsqueeze(x, first1) kt = Transpose<perm = [0, 1, 3, 2]>(q)
        sc = MatMul(q, kt) sm = Add(sc, hidden) p = Softmax(sm) o = MatMul(p, q) y = Squeeze(o, first1)"""
    graph = f"g (float[b, 5, 12] x) => (float[b, 5, 12] y) {{ {body} }}"
    numbers = {
        "first1": np.array([1]), "zero": np.float32(0), "never": np.float32(-np.inf), "one": np.array([1]),
        "yes": np.ones((1, 1, 5, 1), bool), "fives": np.array([5, 5]),
    }  # fmt: skip
    found = lowered(model_of(graph, **numbers), {"x": X}, tmp_path)
    assert found.kinds == ["attention"]
    assert found.one("attention").inputs[3:] == ()
    assert found.error < 1e-5
