"""Attention in the spellings of exporters; and what looks like it and is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from speedwell.core.errors import InputMismatchError
from speedwell.native import Session

from .lowered import BUILT, Lowered, lowered, model_of, normal

B, S, W, H, D = 2, 5, 16, 4, 4
X = normal(B, S, W)
NUMBERS = {
    "split": np.array([0, -1, H, D]), "flat": np.array([0, -1, W]), "half": np.float32(0.5), "two": np.float32(2),
    "quarter": np.float32(0.25), "never": np.float32(-np.inf), "least": np.float32(np.finfo(np.float32).min),
    "some": np.float32(-3), "zero": np.float32(0), "one": np.array(1), "zeroth": np.array(0), "second": np.array(2),
    "axis0": np.array([0]), "axis1": np.array([1]), "axis2": np.array([2]), "last": np.array([-1]),
}  # fmt: skip
QKV = """
    pq = MatMul(x, wq) aq = Add(pq, bq) vq = Reshape(aq, split) q = Transpose<perm=[0, 2, 1, 3]>(vq)
    pk = MatMul(x, wk) ak = Add(pk, bk) vk = Reshape(ak, split)
    pv = MatMul(x, wv) av = Add(pv, bv) vv = Reshape(av, split) v = Transpose<perm=[0, 2, 1, 3]>(vv)
"""
KEYS = "k = Transpose<perm=[0, 2, 3, 1]>(vk)\n"
RAW = "s = MatMul(q, k)\nscores = Mul(s, half)\n"
SOFTMAX = "p = Softmax<axis=-1>(scores)\n"
END = "m = MatMul(p, v)\nt = Transpose<perm=[0, 2, 1, 3]>(m)\ny = Reshape(t, flat)\n"
WEIGHTS = {f"w{c}": normal(W, W, seed=i) * 0.3 for i, c in enumerate("qkv")} | {
    f"b{c}": normal(W, seed=i) for i, c in enumerate("qkv")
}


def attend(
    tmp_path: Path, body: str, extra: dict[str, np.ndarray] | None = None, types: str = "", **w: np.ndarray
) -> Lowered:
    graph = f"g (float[b, s, {W}] x{types}) => (float[b, s, {W}] y) {{ {body} }}"
    used = {
        k: v
        for k, v in (NUMBERS | WEIGHTS | w).items()
        if k in body.replace("(", " ").replace(",", " ").replace(")", " ").split()
    }
    return lowered(model_of(graph, **used), {"x": X} | (extra or {}), tmp_path)


def assert_attention(
    found: Lowered, *others: str, scale: float = 0.5, offsets: tuple[int, ...] = (0, W, 2 * W)
) -> None:
    assert found.kinds == sorted(["attention", *others])
    said = found.one("attention").attributes
    assert (said["heads"], said["head_dim"]) == (H, D)
    assert said["scale"] == pytest.approx(scale)
    assert tuple(said[f"{c}_offset"] for c in "qkv") == offsets
    assert found.error < 1e-5


def test_the_three_projections_become_one_product_that_attention_reads(tmp_path: Path) -> None:
    assert_attention(attend(tmp_path, QKV + KEYS + RAW + SOFTMAX + END), "gemm_float")


DETOUR = """
    k4 = Transpose<perm=[0, 2, 1, 3]>(vk)
    shape = Shape(k4) rows = Slice(shape, from2, from3)
    columns = Slice(shape, from3, end) heads = Slice(shape, from0, from2)
    narrow = Concat<axis=0>(minus, rows, columns) k3 = Reshape(k4, narrow) kt = Transpose<perm=[0, 2, 1]>(k3)
    wide = Concat<axis=0>(heads, columns, rows) k = Reshape(kt, wide)
"""
BOUNDS = {
    "minus": np.array([-1]), "from0": np.array([0]), "from2": np.array([-2]), "from3": np.array([-1]),
    "end": np.array([2**63 - 1]),
}  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "raw", "scale"),
    [
        ("k4 = Transpose<perm=[0, 2, 1, 3]>(vk) k = Transpose<perm=[0, 1, 3, 2]>(k4)\n", RAW, 0.5),
        (DETOUR, RAW, 0.5),
        (KEYS, "s = MatMul(q, k)\nscores = Div(s, two)\n", 0.5),
        (KEYS, "d = Mul(half, q)\nscores = MatMul(d, k)\n", 0.5),
        (KEYS, "d = Div(k, two)\nscores = MatMul(q, d)\n", 0.5),
        (KEYS, "d = Mul(q, half)\ne = Mul(k, half)\nscores = MatMul(d, e)\n", 0.25),
        ("k4 = Transpose<perm=[0, 2, 1, 3]>(vk) f = Mul(k4, half) k = Transpose<perm=[0, 1, 3, 2]>(f)\n",
         "scores = MatMul(q, k)\n", 0.5),
        (KEYS, "scores = MatMul(q, k)\n", 1.0),
    ],
    ids=["keys turned twice", "keys turned over three dimensions", "divided", "factor on q", "factor on k", "on both",
         "factor between the transposes of k", "no factor"],
)  # fmt: skip
def test_spellings_of_keys_and_scale(tmp_path: Path, keys: str, raw: str, scale: float) -> None:
    assert_attention(attend(tmp_path, QKV + keys + raw + SOFTMAX + END, **BOUNDS), "gemm_float", scale=scale)


def test_a_factor_in_front_of_the_heads_is_found(tmp_path: Path) -> None:
    body = QKV.replace("vq = Reshape(aq, split)", "fq = Mul(aq, half) vq = Reshape(fq, split)")
    assert_attention(attend(tmp_path, body + KEYS + "scores = MatMul(q, k)\n" + SOFTMAX + END), "gemm_float")


MASKS = {
    "every key": ("float[b, 1, 1, s] h", normal(B, 1, 1, S)),
    "every query": ("float[s, s] h", normal(S, S)),
    "every head": ("float[4, s, s] h", normal(H, S, S)),
    "full": ("float[b, 4, s, s] h", normal(B, H, S, S)),
}


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("order", ["Add(a, h)", "Add(h, a)"])
def test_an_added_mask(tmp_path: Path, mask: str, order: str) -> None:
    kind, array = MASKS[mask]
    body = QKV + KEYS + "s = MatMul(q, k)\na = Mul(s, half)\nscores = " + order + "\n" + SOFTMAX + END
    assert_attention(attend(tmp_path, body, {"h": array}, ", " + kind), "gemm_float")


def test_two_masks_are_added_first(tmp_path: Path) -> None:
    body = QKV + KEYS + "s = MatMul(q, k)\na = Mul(s, half)\nc = Add(a, h)\nscores = Add(i, c)\n" + SOFTMAX + END
    extra = {"h": normal(S, S), "i": normal(B, 1, 1, S)}
    assert_attention(attend(tmp_path, body, extra, ", float[s, s] h, float[b, 1, 1, s] i"), "gemm_float", "Add")


@pytest.mark.parametrize("where", ["Where(c, a, least)", "Where(c, a, never)", "Where(c, least, a)"])
def test_scores_replaced_by_nothing_are_an_added_mask(tmp_path: Path, where: str) -> None:
    body = QKV + KEYS + "s = MatMul(q, k)\na = Mul(s, half)\nscores = " + where + "\n" + SOFTMAX + END
    seen = np.tril(np.ones((S, S), bool))
    seen = ~seen if where.endswith("a)") else seen
    assert_attention(attend(tmp_path, body, {"c": seen}, ", bool[s, s] c"), "gemm_float", "Where")


def test_rows_without_a_key_are_zeros_where_the_network_says_so(tmp_path: Path) -> None:
    guard = "p0 = Softmax<axis=-1>(scores)\nnan = IsNaN(p0)\np = Where(nan, zero, p0)\n"
    body = QKV + KEYS + "s = MatMul(q, k)\na = Mul(s, half)\nscores = Add(a, h)\n" + guard + END
    hidden = np.zeros((S, S), np.float32)
    hidden[2] = -np.inf
    found = attend(tmp_path, body, {"h": hidden}, ", float[s, s] h")
    assert_attention(found, "gemm_float")
    assert found.one("attention").attributes["nan_to_zero"] is True
    found = attend(tmp_path, body.replace(guard, SOFTMAX), {"h": hidden}, ", float[s, s] h")
    assert found.one("attention").attributes["nan_to_zero"] is False
    assert found.error < 1e-5


PACKED = "p0 = MatMul(x, wp)\nall = Reshape(p0, five)\n"
TAKEN = {
    "gathered from a stack": PACKED + """u = Transpose<perm=[2, 0, 3, 1, 4]>(all)
        q = Gather<axis=0>(u, zeroth) k4 = Gather<axis=0>(u, one) v = Gather<axis=0>(u, second)
        k = Transpose<perm=[0, 1, 3, 2]>(k4)""",
    "split from a stack": PACKED + """u = Transpose<perm=[2, 0, 3, 1, 4]>(all)
        q5, k5, v5 = Split<axis=0, num_outputs=3>(u)
        q = Squeeze(q5, axis0) k4 = Squeeze(k5, axis0) v = Squeeze(v5, axis0)
        k = Transpose<perm=[0, 1, 3, 2]>(k4)""",
    "sliced before it is turned": PACKED + """
        q5 = Slice(all, axis0, axis1, axis2) qs = Squeeze(q5, axis2) q = Transpose<perm=[0, 2, 1, 3]>(qs)
        k5 = Slice(all, axis1, axis2, axis2) ks = Squeeze(k5, axis2) k = Transpose<perm=[0, 2, 3, 1]>(ks)
        v5 = Slice(all, axis2, three, axis2) vs = Squeeze(v5, axis2) v = Transpose<perm=[0, 2, 1, 3]>(vs)""",
    "split by columns": """p0 = MatMul(x, wp)
        q3, k3, v3 = Split<axis=-1, num_outputs=3>(p0)
        vq = Reshape(q3, split) q = Transpose<perm=[0, 2, 1, 3]>(vq)
        vk = Reshape(k3, split) k = Transpose<perm=[0, 2, 3, 1]>(vk)
        vv = Reshape(v3, split) v = Transpose<perm=[0, 2, 1, 3]>(vv)""",
}  # fmt: skip


@pytest.mark.parametrize("how", TAKEN)
def test_queries_keys_and_values_of_one_product(tmp_path: Path, how: str) -> None:
    more = {"wp": normal(W, 3 * W) * 0.3, "five": np.array([0, -1, 3, H, D]), "three": np.array([3])}
    assert_attention(attend(tmp_path, TAKEN[how] + "\n" + RAW + SOFTMAX + END, **more), "gemm_float")


def test_heads_that_are_interleaved_in_the_product_are_laid_out_first(tmp_path: Path) -> None:
    body = """p0 = MatMul(x, wp) all = Reshape(p0, five)
        qs = Gather<axis=3>(all, zeroth) q = Transpose<perm=[0, 2, 1, 3]>(qs)
        ks = Gather<axis=3>(all, one) k = Transpose<perm=[0, 2, 3, 1]>(ks)
        vs = Gather<axis=3>(all, second) v = Transpose<perm=[0, 2, 1, 3]>(vs)\n"""
    more = {"wp": normal(W, 3 * W) * 0.3, "five": np.array([0, -1, H, 3, D])}
    found = attend(tmp_path, body + RAW + SOFTMAX + END, **more)
    assert "attention" in found.kinds
    assert found.error < 1e-5


def test_keys_computed_after_the_heads_are_laid_out_first(tmp_path: Path) -> None:
    body = QKV + "k4 = Transpose<perm=[0, 2, 1, 3]>(vk) n = Tanh(k4) k = Transpose<perm=[0, 1, 3, 2]>(n)\n"
    found = attend(tmp_path, body + RAW + SOFTMAX + END)
    assert "attention" in found.kinds
    assert found.error < 1e-5


def test_two_sources_make_two_products(tmp_path: Path) -> None:
    body = QKV.replace("pq = MatMul(x, wq)", "c = Tanh(x) pq = MatMul(c, wq)")
    found = attend(tmp_path, body + KEYS + RAW + SOFTMAX + END)
    assert_attention(found, "Tanh", "gemm_float", "gemm_float", offsets=(0, 0, W))


def test_a_projection_that_others_read_stays_apart(tmp_path: Path) -> None:
    body = QKV + KEYS + RAW + SOFTMAX + END.replace("y = ", "o = ") + "y = Sub(o, aq)\n"
    found = attend(tmp_path, body)
    assert found.kinds == ["Sub", "attention", "gemm_float", "gemm_float"]
    assert found.error < 1e-5


def test_attention_gives_bytes_where_the_next_product_reads_them(tmp_path: Path) -> None:
    tail = """o = Reshape(t, flat) oq = QuantizeLinear(o, so, zo) od = DequantizeLinear(oq, so, zo)
        w = DequantizeLinear<axis=1>(ow, os) y = MatMul(od, w)\n"""
    more = {
        "so": np.float32(0.02), "zo": np.uint8(128), "ow": np.arange(-128, 128).astype(np.int8).reshape(16, 16)[:, :W],
        "os": np.full(W, 0.01, np.float32),
    }  # fmt: skip
    found = attend(tmp_path, QKV + KEYS + RAW + SOFTMAX + END.replace("y = Reshape(t, flat)\n", "") + tail, **more)
    assert_attention(found, "gemm_float", "gemm_int8")
    assert found.one("attention").attributes["out"] == {
        "scale": float(np.float32(0.02)), "zero": 128, "low": 0, "high": 255,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("what", "by"),
    [
        ("Softmax<axis=-1>", "Softmax<axis=2>"),
        ("scores = Mul(s, half)", "a = Add(s, h2)\nscores = Mul(a, half)"),
        ("scores = Mul(s, half)", "scores = Mul(s, each)"),
        ("scores = Mul(s, half)", "scores = Where(h3, s, some)"),
        ("t = Transpose<perm=[0, 2, 1, 3]>(m)",
         "o = ReduceMean(p, last)\nr = Mul(m, o)\nt = Transpose<perm=[0, 2, 1, 3]>(r)"),
    ],
    ids=["softmax over queries", "mask scaled too", "a factor for each head", "hidden by a finite number",
         "shares are read again"],
)  # fmt: skip
def test_what_only_looks_like_attention_stays_right(tmp_path: Path, what: str, by: str) -> None:
    body = (QKV + KEYS + RAW + SOFTMAX + END).replace(what, by)
    more = {"h2": normal(S, S), "each": np.abs(normal(H, 1, 1)), "h3": np.tril(np.ones((S, S), bool))}
    found = attend(tmp_path, body, **more)
    assert "attention" not in found.kinds
    assert found.error < 1e-5


def test_a_mask_that_makes_more_of_the_scores_is_none(tmp_path: Path) -> None:
    """One sample and a mask of two: the sum has two."""
    body = QKV + KEYS + "s = MatMul(q, k)\na = Mul(s, half)\nscores = Add(a, h)\n" + SOFTMAX + END
    graph = f"g (float[1, s, {W}] x, float[2, 1, 1, s] h) => (float[u, s, {W}] y) {{ {body} }}"
    used = {k: v for k, v in (NUMBERS | WEIGHTS).items() if k in {"half", "split", "flat", *WEIGHTS}}
    found = lowered(model_of(graph, **used), {"x": X[:1], "h": normal(2, 1, 1, S)}, tmp_path)
    assert "attention" not in found.kinds
    assert found.error < 1e-5


NAMELESS = f"""g (float[b, s, {W}] x, float[n] h) => (float[b, s, {W}] y) {{
    {QKV} {KEYS} s = MatMul(q, k) a = Mul(s, half)
    whole = Shape(x) long = Slice(whole, axis1, axis2) told = Concat<axis=0>(last, axis1, long, long)
    m4 = Reshape(h, told) scores = Add(a, m4)
    {SOFTMAX} {END}
}}"""


def test_a_mask_of_sizes_that_nobody_named_is_taken_to_fit(tmp_path: Path) -> None:
    """Exporters of decoders and of attention in windows leave such masks."""
    used = NUMBERS | WEIGHTS
    used = {k: used[k] for k in ("half", "split", "flat", "last", "axis1", "axis2", *WEIGHTS)}
    found = lowered(model_of(NAMELESS, **used), {"x": X, "h": normal(B * S * S)}, tmp_path)
    assert "attention" in found.kinds
    assert "MatMul" not in found.kinds
    assert found.error < 1e-5
    if BUILT:
        with pytest.raises(InputMismatchError, match="a mask of shape"):
            Session(tmp_path / "plan").run({"x": X[:1], "h": normal(2 * S * S)})
