"""Products with weights of 4 bits: exact sums in every group, on every instruction set, at all block edges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedwell.core.errors import EngineError, InputMismatchError, UnsupportedError
from speedwell.native import Session, supported_isas, write_plan

from .product_plans import UNIT, assert_levels

ISAS = supported_isas()
GROUPS = (16, 32, 64, 128, 256)


def packed(halves: np.ndarray, group: int) -> np.ndarray:
    """uint8 [N, groups * group / 2] of values [N, K] in [0, 15]; what pads the last group is 15."""
    n, k = halves.shape
    whole = np.full((n, -(-k // group) * group), 15, np.uint8)
    whole[:, :k] = halves
    return whole[:, ::2] | whole[:, 1::2] << 4


def weights(halves: np.ndarray, scale: np.ndarray, zero: np.ndarray | None, group: int) -> np.ndarray:
    """What they stand for, float64 [N, K]."""
    along = np.arange(halves.shape[1]) // group
    middle = 8 if zero is None else zero[:, along].astype(np.float64)
    return (halves.astype(np.float64) - middle) * scale.astype(np.float64)[:, along]


def product(
    folder: Path, a: np.ndarray, halves: np.ndarray, group: int, scale=None, bias=None, residual=None, zero=None,
    isa: str = "", threads: int = 1, change=(), more=(), **attributes
) -> np.ndarray:  # fmt: skip
    """One gemm_int4 as a plan of its own, run. ``change``: tensors that stand instead of those.
    ``more``: attributes that do.
    """
    n, k = halves.shape
    tensors = {"w": packed(halves, group)}
    tensors["s"] = np.ones((n, -(-k // group)), np.float32) if scale is None else scale
    tensors |= {name: array for name, array in (("b", bias), ("z", zero)) if array is not None}
    tensors |= dict(change)
    values = {name: i + 2 for i, name in enumerate(tensors)}
    inputs = [{"name": "a", "value": 0, "dtype": str(a.dtype), "shape": list(a.shape)}]
    if residual is not None:
        values["r"] = len(values) + 2
        inputs.append({"name": "r", "value": values["r"], "dtype": "float32", "shape": list(residual.shape)})
    plan = {
        "format": "speedwell-plan", "version": 1, "values": len(values) + 2, "inputs": inputs,
        "outputs": [{"name": "y", "value": 1}],
        "constants": [{"value": values[name], "tensor": name} for name in tensors],
        "operators": [
            {"kind": "gemm_int4", "name": "product", "inputs": [0, *(values.get(name, -1) for name in "wsbrz")],
             "outputs": [1], "attributes": {"depth": k, "group": group, "input": UNIT} | attributes | dict(more)}
        ],
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    write_plan(folder, plan, tensors)
    arrays = [a] if residual is None else [a, residual]
    return Session(folder, threads=threads, isa=isa).run(arrays)[0]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("k", [1, 7, 15, 16, 17, 255, 256, 257, 384])
def test_sums_are_exact_at_every_depth_and_group(tmp_path, isa, group, k):
    rng = np.random.default_rng([k, group])
    a = rng.integers(0, 256, (7, k), dtype=np.uint8)
    halves = rng.integers(0, 16, (33, k), dtype=np.uint8)
    zero = rng.integers(0, 16, (33, -(-k // group)), dtype=np.uint8)
    for name, z in (("symmetric", None), ("zeros", zero)):
        got = product(tmp_path / name, a, halves, group, zero=z, isa=isa)
        ones = np.ones(zero.shape, np.float32)
        np.testing.assert_array_equal(got, (a @ weights(halves, ones, z, group).T).astype(np.float32), err_msg=name)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("m", [0, 1, 2, 3, 5, 6, 7, 11, 12, 13, 47, 48, 49, 97])
@pytest.mark.parametrize("n", [1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 150])
def test_sums_are_exact_at_every_block_edge(tmp_path, isa, m, n):
    rng = np.random.default_rng([m, n])
    a = rng.integers(0, 256, (m, 40), dtype=np.uint8)
    halves = rng.integers(0, 16, (n, 40), dtype=np.uint8)
    got = product(tmp_path, a, halves, 32, isa=isa, threads=2)
    np.testing.assert_array_equal(got, (a @ (halves - 8.0).T).astype(np.float32))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize(("activation", "half"), [(255, 15), (255, 0), (0, 15), (255, 8)])
def test_the_worst_inputs_stay_in_16_bits(tmp_path, isa, group, activation, half):
    a = np.full((6, 1536), activation, np.uint8)
    halves = np.full((64, 1536), half, np.uint8)
    got = product(tmp_path, a, halves, group, isa=isa)
    np.testing.assert_array_equal(got, np.full((6, 64), 1536 * activation * (half - 8), np.float32))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_product_is_the_scalar_one_bit_for_bit_and_within_the_bound_of_its_sums(tmp_path_factory, data):
    m, k, n = (data.draw(st.integers(1, top)) for top in (20, 300, 70))
    group, zero_point = data.draw(st.sampled_from(GROUPS)), data.draw(st.integers(0, 255))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**31)))
    a = rng.integers(0, 256, (m, k), dtype=np.uint8)
    halves = rng.integers(0, 16, (n, k), dtype=np.uint8)
    groups = -(-k // group)
    scale = np.ldexp(rng.uniform(0.5, 1, (n, groups)), rng.integers(-12, 4, (n, groups))).astype(np.float32)
    zero = rng.integers(0, 16, (n, groups), dtype=np.uint8) if data.draw(st.booleans()) else None
    folder = tmp_path_factory.mktemp("any")
    options = {"scale": scale, "zero": zero, "threads": 2, "input": UNIT | {"zero": zero_point}}
    found = {isa: product(folder / isa, a, halves, group, **options, isa=isa) for isa in ISAS}
    for isa in ISAS:
        np.testing.assert_array_equal(found[isa], found["scalar"], err_msg=isa)
    real = weights(halves, scale, zero, group)
    want = (a.astype(np.float64) - zero_point) @ real.T
    # Each group is exact; two roundings a group, and those of the zero points' sum, are of float32.
    reach = a.astype(np.float64) @ (np.abs(weights(halves, scale, None, group)) + 15 * weights(
        np.full_like(halves, 9), scale, None, group)).T + 255 * np.abs(real).sum(1)  # fmt: skip
    assert (np.abs(found["scalar"] - want) <= (2 * groups + 4) * 2.0**-24 * reach).all()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("k", [64, 50])
def test_bias_residual_activation_and_bytes_in_that_order(tmp_path, isa, k):
    rng = np.random.default_rng(1)
    a = rng.integers(0, 256, (2, 5, k), dtype=np.uint8)
    halves = rng.integers(0, 16, (40, k), dtype=np.uint8)
    scale = rng.uniform(1e-2, 2e-2, (40, 2)).astype(np.float32)
    bias, residual = rng.normal(size=40).astype(np.float32), rng.normal(size=(2, 5, 40)).astype(np.float32)
    q = {"scale": 0.02, "zero": 120, "low": 0, "high": 255}
    real = (a.astype(np.float64) - 120) * 0.02 @ weights(halves, scale, None, 32).T + bias + residual
    common = {"scale": scale, "bias": bias, "residual": residual, "isa": isa, "input": q}
    got = product(tmp_path / "f", a, halves, 32, **common, activation="relu")
    np.testing.assert_allclose(got, np.maximum(real, 0), rtol=1e-5, atol=1e-5)
    out = {"scale": 0.05, "zero": 10, "low": 3, "high": 127}
    got = product(tmp_path / "q", a, halves, 32, **common, activation="relu", out=out)
    assert_levels(got, np.maximum(real, 0), out)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("high", [255, 127])
@pytest.mark.parametrize("asymmetric", [False, True])
def test_rows_are_quantized_on_their_own(tmp_path, isa, high, asymmetric):
    rng = np.random.default_rng(2)
    a = (rng.normal(size=(9, 50)) * np.geomspace(1e-3, 1e3, 9)[:, None]).astype(np.float32)
    a[4] = 0
    halves = rng.integers(0, 16, (20, 50), dtype=np.uint8)
    scale = rng.uniform(0.5, 1, (20, 4)).astype(np.float32)
    zero = rng.integers(0, 16, (20, 4), dtype=np.uint8) if asymmetric else None
    bias = rng.normal(size=20).astype(np.float32)
    options = {"scale": scale, "zero": zero, "bias": bias, "input": {"rows": high}}
    got = product(tmp_path, a, halves, 16, **options, isa=isa, threads=2)
    real = weights(halves, scale, zero, 16)
    low, top = np.minimum(a.min(1), 0), np.maximum(a.max(1), 0)
    step = np.where(top > low, (top - low) / high, 1).astype(np.float64)
    error = np.abs(got - (a.astype(np.float64) @ real.T + bias))
    reach = np.abs(real).sum(1)
    assert (error <= (step / 2 * 1.02)[:, None] * reach + 1e-5 * (step * high)[:, None] * reach + 1e-6).all()
    assert (got[4] == bias).all()


SMALL = np.zeros((3, 40), np.uint8), np.zeros((4, 40), np.uint8)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"input": {"scale": 0.0, "zero": 0}}, "scale"),
        ({"input": {"scale": 1.0, "zero": 300}}, "zero"),
        ({"input": {"rows": 256}}, "1 to 255"),
        ({"input": {"rows": 255}}, "float32"),
        ({"input": {}}, "scale"),
        ({"more": {"depth": 0}}, "depth"),
        ({"more": {"depth": -1}}, "depth"),
        ({"more": {"depth": 2**62}}, "depth"),
        ({"more": {"depth": 33}}, r"\[3, 40\], its last size must be the weight's depth, 33"),
        ({"more": {"depth": 65}}, r"uint8 \[N, 48\], it is uint8 \[4, 32\]"),
        ({"more": {"depth": 1.5}}, "integer must stand"),
        ({"activation": "softsign"}, "softsign"),
        ({"residual": np.zeros((3, 3), np.float32)}, "residual"),
        ({"bias": np.ones(3, np.float32)}, "bias"),
        ({"scale": np.ones((4, 1), np.float32)}, r"weight_scale must be float32 \[4, 2\], it is \[4, 1\]"),
        ({"scale": np.ones(8, np.float32)}, "weight_scale"),
        ({"scale": np.ones((4, 2), np.int32)}, "weight_scale"),
        ({"zero": np.full((4, 2), 16, np.uint8)}, "16, a zero point of 4 bits is 0 to 15"),
        ({"zero": np.full((4, 1), 8, np.uint8)}, "weight_zero"),
        ({"zero": np.full((4, 2), 8, np.int8)}, "weight_zero"),
        ({"change": {"w": np.zeros((4, 32), np.int8)}}, "it is int8"),
        ({"change": {"w": np.zeros((4, 33), np.uint8)}}, r"\[4, 33\]"),
        ({"change": {"w": np.zeros(128, np.uint8)}}, "the weight must be"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, change, words):
    with pytest.raises((EngineError, InputMismatchError), match=words):
        product(tmp_path, *SMALL, 32, **change)


@pytest.mark.parametrize("group", [0, -32, 8, 48, 512, 2**62])
def test_another_size_of_group_is_unsupported_by_name(tmp_path, group):
    with pytest.raises(UnsupportedError, match=f"unsupported: int4 weights in groups of {group}"):
        product(tmp_path, *SMALL, 32, more={"group": group})
