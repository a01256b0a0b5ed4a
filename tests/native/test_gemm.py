"""The products: bit-equal sums on every instruction set, at all block edges, with extreme weights and activations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedwell.core.errors import EngineError, InputMismatchError
from speedwell.native import Session, supported_isas, write_plan

from .product_plans import UNIT, assert_levels, product, sums

ISAS = supported_isas()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 7, 8, 63, 64, 65, 384])
def test_int8_sums_are_exact_at_every_depth(tmp_path, isa, k):
    rng = np.random.default_rng(k)
    a = rng.integers(0, 256, (7, k), dtype=np.uint8)
    weight = rng.integers(-128, 128, (33, k), dtype=np.int8)
    got = product(tmp_path, a, weight, isa=isa, input=UNIT)
    np.testing.assert_array_equal(got, sums(a, weight).astype(np.float32))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("m", [0, 1, 2, 5, 6, 7, 11, 12, 13, 47, 48, 49, 97])
@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 63, 64, 65, 150])
def test_int8_sums_are_exact_at_every_block_edge(tmp_path, isa, m, n):
    rng = np.random.default_rng([m, n])
    a = rng.integers(0, 256, (m, 20), dtype=np.uint8)
    weight = rng.integers(-63, 64, (n, 20), dtype=np.int8)
    got = product(tmp_path, a, weight, isa=isa, threads=2, input=UNIT)
    np.testing.assert_array_equal(got, sums(a, weight).astype(np.float32))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(
    ("activation", "weight"), [(255, 127), (255, -128), (255, 63), (255, -64), (127, 127), (0, -128)]
)
def test_the_worst_inputs_do_not_saturate(tmp_path, isa, activation, weight):
    a = np.full((6, 1536), activation, np.uint8)
    w = np.full((64, 1536), weight, np.int8)
    high = max(activation, 1)
    got = product(tmp_path, a, w, isa=isa, input=UNIT | {"high": high})
    np.testing.assert_array_equal(got, sums(a, w).astype(np.float32))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_product_equals_the_reference(tmp_path_factory, data):
    m, k, n = (data.draw(st.integers(1, top)) for top in (20, 70, 70))
    seed = data.draw(st.integers(0, 2**31))
    reach = data.draw(st.sampled_from([1, 63, 64, 127]))
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 256, (m, k), dtype=np.uint8)
    weight = rng.integers(-reach, reach + 1, (n, k), dtype=np.int8)
    zero = data.draw(st.integers(0, 255))
    folder = tmp_path_factory.mktemp("any")
    want = ((a.astype(np.int64) - zero) @ weight.astype(np.int64).T).astype(np.float32)
    for isa in ISAS:
        got = product(folder / isa, a, weight, isa=isa, threads=2, input=UNIT | {"zero": zero})
        np.testing.assert_array_equal(got, want, err_msg=isa)


@pytest.mark.parametrize("isa", ISAS)
def test_bias_residual_activation_and_bytes_in_that_order(tmp_path, isa):
    rng = np.random.default_rng(1)
    a = rng.integers(0, 256, (2, 5, 24), dtype=np.uint8)
    weight = rng.integers(-127, 128, (40, 24), dtype=np.int8)
    scale = rng.uniform(1e-3, 2e-3, 40).astype(np.float32)
    bias = rng.normal(size=40).astype(np.float32)
    residual = rng.normal(size=(2, 5, 40)).astype(np.float32)
    q = {"scale": 0.02, "zero": 120, "low": 0, "high": 255}
    real = (a.astype(np.float64) - 120) * 0.02 @ (weight.astype(np.float64) * scale[:, None]).T + bias + residual
    common = {"scale": scale, "bias": bias, "residual": residual, "isa": isa, "input": q}
    got = product(tmp_path / "f", a, weight, **common, activation="relu")
    np.testing.assert_allclose(got, np.maximum(real, 0), rtol=1e-5, atol=1e-5)
    out = {"scale": 0.05, "zero": 10, "low": 3, "high": 127}
    got = product(tmp_path / "q", a, weight, **common, activation="relu", out=out)
    assert_levels(got, np.maximum(real, 0), out)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("high", [255, 127])
def test_rows_are_quantized_on_their_own(tmp_path, isa, high):
    rng = np.random.default_rng(2)
    a = (rng.normal(size=(9, 50)) * np.geomspace(1e-3, 1e3, 9)[:, None]).astype(np.float32)
    a[4] = 0
    weight = rng.integers(-127, 128, (20, 50), dtype=np.int8)
    scale = rng.uniform(0.5, 1, 20).astype(np.float32)
    got = product(tmp_path, a, weight, scale=scale, isa=isa, threads=2, input={"rows": high})
    low, top = np.minimum(a.min(1), 0), np.maximum(a.max(1), 0)
    step = np.where(top > low, (top - low) / high, 1).astype(np.float64)
    error = np.abs(got - a.astype(np.float64) @ (weight * scale[:, None]).T)
    bound = (step / 2 * 1.02)[:, None] * np.abs(weight * scale[:, None]).sum(1) + 1e-4 * np.abs(got)
    assert (error <= bound).all()
    assert (got[4] == 0).all()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(
    "shape",
    [
        (1, 1, 1),
        (6, 384, 64),
        (13, 33, 65),
        (50, 17, 150),
        (3, 0, 4),
        (50, 800, 150),
        (48, 385, 64),
        (49, 769, 17),
        (7, 97, 65),
    ],
)
def test_float_products(tmp_path, isa, shape):
    m, k, n = shape
    rng = np.random.default_rng(3)
    a, weight = rng.normal(size=(m, k)).astype(np.float32), rng.normal(size=(n, k)).astype(np.float32)
    bias = rng.normal(size=n).astype(np.float32)
    got = product(tmp_path, a, weight, kind="gemm_float", bias=bias, isa=isa, threads=2)
    np.testing.assert_allclose(got, a.astype(np.float64) @ weight.astype(np.float64).T + bias, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("a", "b"),
    [((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((2, 1, 7, 5), (3, 5, 70)), ((4,), (4, 6)), ((2, 3, 4), (4,)), ((4,), (4,)),
     ((0, 3), (3, 4)), ((2, 0), (0, 3))],
)  # fmt: skip
def test_matmul_is_numpy_matmul(tmp_path, a, b):
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=a).astype(np.float32), rng.normal(size=b).astype(np.float32)
    plan = {
        "format": "speedwell-plan", "version": 1, "values": 3,
        "inputs": [
            {"name": name, "value": i, "dtype": "float32", "shape": list(array.shape)}
            for i, (name, array) in enumerate([("a", x), ("b", y)])
        ],
        "outputs": [{"name": "y", "value": 2}], "constants": [],
        "operators": [{"kind": "MatMul", "name": "m", "inputs": [0, 1], "outputs": [2], "attributes": {}}],
    }  # fmt: skip
    write_plan(tmp_path, plan, {})
    (got,) = Session(tmp_path, threads=2).run([x, y])
    want = np.matmul(x, y)
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"input": {"scale": 0.0, "zero": 0}}, "scale"),
        ({"input": {"scale": 1.0, "zero": 300}}, "zero"),
        ({"input": {"rows": 256}}, "1 to 255"),
        ({"input": UNIT, "activation": "softsign"}, "softsign"),
        ({}, "input"),
        ({"input": UNIT, "residual": np.zeros((3, 3), np.float32)}, "residual"),
        ({"input": UNIT, "scale": np.ones(3, np.float32)}, "weight_scale"),
        ({"input": UNIT, "bias": np.ones(3, np.float32)}, "bias"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, change, words):
    a, weight = np.zeros((3, 8), np.uint8), np.zeros((4, 8), np.int8)
    with pytest.raises((EngineError, InputMismatchError), match=words):
        product(tmp_path, a, weight, **change)


def test_weights_of_many_large_pages_are_all_kept(tmp_path):
    # More than a slab reserves at once (32 MiB), in blocks that do not fill it evenly.
    rng = np.random.default_rng(0)
    sizes = [(1100, 2048), (2100, 1100), (1030, 2100), (3, 1030)]
    weights = [rng.standard_normal(size).astype(np.float32) / 32 for size in sizes]
    x = rng.standard_normal((2, 2048)).astype(np.float32)
    last = len(weights)
    plan = {
        "format": "speedwell-plan", "version": 1, "values": 2 * last + 1,
        "inputs": [{"name": "x", "value": 0, "dtype": "float32", "shape": [2, 2048]}],
        "outputs": [{"name": "y", "value": last}],
        "constants": [{"value": last + 1 + i, "tensor": f"w{i}"} for i in range(last)],
        "operators": [{"kind": "gemm_float", "name": f"n{i}", "inputs": [i, last + 1 + i, -1, -1], "outputs": [i + 1],
                       "attributes": {}} for i in range(last)],
    }  # fmt: skip
    write_plan(tmp_path, plan, {f"w{i}": w for i, w in enumerate(weights)})
    want = x.astype(np.float64)
    for w in weights:
        want = want @ w.T.astype(np.float64)
    for threads in (1, 3):
        np.testing.assert_allclose(Session(tmp_path, threads).run([x])[0], want, rtol=1e-3, atol=1e-3)
