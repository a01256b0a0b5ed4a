"""Attention with int8 products: its definition bit for bit on every instruction set, and near enough to float64."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedwell.core.errors import EngineError, PlanError, UnsupportedError
from speedwell.native import supported_isas

from .attention_int8 import REACH, attention_int8, shares
from .test_attention import attend, attention, operands

Array = np.ndarray

ISAS = supported_isas()


def check(
    inputs: Sequence[Array | None], heads: int, scale: float, isas: Sequence[str] = ISAS, threads: int = 1,
    zeros: bool = False,
) -> Array:  # fmt: skip
    """The result, after comparing its bits with the definition's on ``isas``."""
    q, k, v, *rest = inputs
    mask = rest[0] if rest else None
    assert q is not None
    assert k is not None
    assert v is not None
    want = attention_int8(q, k, v, mask, heads, scale, zeros)
    d = q.shape[2] // heads
    for isa in isas:
        got = attend([q, k, v, mask], heads, d, scale, isa, threads, precision="int8", nan_to_zero=zeros)
        np.testing.assert_array_equal(got, want, err_msg=isa)
    return want


def bound(q: Array, k: Array, v: Array, heads: int, scale: float) -> Array:
    """How far [B, Sq, heads * d] may be off: from half a step of each operand, and half a level of each share."""

    def apart(x: Array) -> Array:
        return np.abs(x).astype(np.float64).reshape(*x.shape[:2], heads, -1).transpose(0, 2, 1, 3)

    q, k, v = apart(q), apart(k), apart(v)
    q_half, k_half = q.max(-1) / 254, k.max(-1) / (2 * REACH)
    reach = (
        q.sum(-1)[..., :, None] * k_half[..., None, :]
        + q_half[..., :, None] * (k.sum(-1) + q.shape[-1] * k_half)[..., None, :]
    )
    moved = np.exp(2 * abs(scale) * reach.max(-1)) - 1  # of a share's logarithm, and of their sum's
    rounded = k.shape[2] * 0.52 / 254.5
    largest = v.max(2)  # [B, heads, d]
    off = 2 * (moved + rounded)[..., None] * largest[:, :, None] + largest[:, :, None] / (2 * REACH) + 1e-5
    return np.asarray(off.transpose(0, 2, 1, 3)).reshape(off.shape[0], off.shape[2], -1)


@settings(max_examples=60, deadline=None)
@given(
    batch=st.integers(1, 2),
    heads=st.integers(1, 3),
    rows=st.integers(1, 60),
    keys=st.integers(0, 140),
    d=st.integers(1, 128),
    masked=st.sampled_from([None, (1, 1), (1, 0), (0, 1), (0, 0)]),
    hidden=st.sampled_from([0.0, 0.3, 0.97]),
    spread=st.sampled_from([1e-30, 0.1, 1.0, 8.0, 1e15]),
    zeros=st.booleans(),
    seed=st.integers(0, 99),
)
def test_every_instruction_set_gives_the_definitions_bits(
    batch: int, heads: int, rows: int, keys: int, d: int, masked: tuple[int, int] | None, hidden: float,
    spread: float, zeros: bool, seed: int,
) -> None:  # fmt: skip
    q, k, v = (np.float32(spread) * x for x in operands(batch, rows, keys, heads * d, seed))
    mask = None
    if masked is not None:
        rng = np.random.default_rng(seed)
        shape = (batch, 1, rows if masked[0] else 1, keys if masked[1] else 1)
        mask = rng.normal(0, 2, shape).astype(np.float32)
        mask[rng.random(shape) < hidden] = -np.inf
    check([q, k, v, mask], heads, d**-0.5, threads=2, zeros=zeros)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("rows", [1, 5, 6, 7, 13, 47, 48, 49, 97])
@pytest.mark.parametrize("keys", [1, 3, 4, 5, 15, 16, 17, 63, 64, 65, 130])
def test_bits_at_every_edge_of_the_blocks(rows: int, keys: int, isa: str) -> None:
    check(operands(1, rows, keys, 40, rows), 2, 0.2, [isa])


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("d", [1, 2, 3, 4, 5, 8, 15, 16, 17, 31, 32, 33, 64, 80, 127, 128, 255, 256])
def test_bits_at_every_width_of_a_head(d: int, isa: str) -> None:
    check(operands(2, 9, 37, d, d), 1, d**-0.5, [isa])


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(("heads", "rows", "d", "threads"), [(12, 11, 32, 1), (3, 197, 64, 2), (1, 300, 32, 2)])
def test_q_k_and_v_may_lie_side_by_side(heads: int, rows: int, d: int, threads: int, isa: str) -> None:
    wide = heads * d
    (both, *_) = operands(2, rows, rows, 3 * wide + 5)
    offsets = {"q_offset": 5, "k_offset": 5 + wide, "v_offset": 5 + 2 * wide}
    y = attend([both, both, both], heads, d, d**-0.5, isa, threads, precision="int8", **offsets)
    q, k, v = (both[..., 5 + i * wide : 5 + (i + 1) * wide] for i in range(3))
    np.testing.assert_array_equal(y, attention_int8(q, k, v, None, heads, d**-0.5))


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 30), keys=st.integers(1, 90), d=st.integers(1, 96), seed=st.integers(0, 99),
    spread=st.sampled_from([0.02, 1.0, 3.0]),
)  # fmt: skip
def test_the_error_is_that_of_half_a_step(rows: int, keys: int, d: int, seed: int, spread: float) -> None:
    q, k, v = operands(1, rows, keys, 2 * d, seed)
    q, scale = q * np.float32(spread), d**-0.5
    y = attend([q, k, v], 2, d, scale, precision="int8")
    assert (np.abs(y - attention(q, k, v, None, 2, scale)) <= bound(q, k, v, 2, scale)).all()


@pytest.mark.parametrize(("d", "positions"), [(32, 16), (32, 128), (64, 197), (64, 512)])
def test_the_direction_of_what_comes_out_is_kept(d: int, positions: int) -> None:
    q, k, v = operands(1, positions, positions, 3 * d)
    y = attend([q, k, v], 3, d, d**-0.5, precision="int8").astype(np.float64)
    want = attention(q, k, v, None, 3, d**-0.5)
    cosine = (y * want).sum(-1) / np.linalg.norm(y, axis=-1) / np.linalg.norm(want, axis=-1)
    assert cosine.min() > 0.998
    assert cosine.mean() > 0.9995


def test_a_share_is_within_half_a_level_and_the_greatest_is_255() -> None:
    t = -np.linspace(0, 25, 100_001, dtype=np.float32)
    exact = 255 * 2.0 ** t.astype(np.float64)
    assert np.abs(shares(t) - exact).max() <= 0.5 + 255 * 1.1e-4
    assert shares(np.zeros(1, np.float32)) == 255
    assert shares(np.full(1, -np.inf, np.float32)) == 0


@pytest.mark.parametrize("isa", ISAS)
def test_one_outlier_costs_only_its_own_row_of_q_or_k(isa: str) -> None:
    q, k, v = operands(1, 40, 90, 32)
    clean = attend([q, k, v], 1, 32, 0.18, isa, precision="int8")
    loud = q.copy()
    loud[0, 7] *= 1e6
    y = attend([loud, k, v], 1, 32, 0.18, isa, precision="int8")
    others = np.arange(40) != 7
    np.testing.assert_array_equal(y[0, others], clean[0, others])
    assert np.isfinite(y).all()
    mask = np.where(np.arange(90) == 11, np.float32(-np.inf), np.zeros((40, 90), np.float32))
    clean = attend([q, k, v, mask], 1, 32, 0.18, isa, precision="int8")
    k[0, 11, 3] = 1e6
    np.testing.assert_array_equal(attend([q, k, v, mask], 1, 32, 0.18, isa, precision="int8"), clean)


@pytest.mark.parametrize("isa", ISAS)
def test_zeros_and_equal_values_come_out_as_they_were(isa: str) -> None:
    q, k, v = operands(1, 9, 37, 24)
    v[...] = v[:, :1]
    y = check([q, k, v], 2, 0.3, [isa])
    np.testing.assert_array_equal(y, np.broadcast_to(v[:, :1], y.shape))
    assert not check([q, k, v * 0], 2, 0.3, [isa]).any()
    zeros = np.zeros_like(k)
    np.testing.assert_array_equal(check([q, zeros, v], 2, 0.3, [isa]), y)
    check([np.zeros_like(q), zeros, zeros], 2, 0.3, [isa])


def test_an_offset_that_all_values_of_a_channel_share_costs_nothing() -> None:
    q, k, v = operands(1, 20, 60, 32)
    plain = attend([q, k, v], 1, 32, 0.18, precision="int8") - attention(q, k, v, None, 1, 0.18)
    v = v + np.float32(64)
    moved = attend([q, k, v], 1, 32, 0.18, precision="int8") - attention(q, k, v, None, 1, 0.18)
    np.testing.assert_allclose(moved, plain, atol=5e-3)
    assert np.abs(moved).max() < 0.1


@pytest.mark.parametrize("isa", ISAS)
def test_the_largest_levels_at_the_most_keys_do_not_overflow(isa: str) -> None:
    keys = 65_536
    q, k = np.full((1, 1, 4), 1, np.float32), np.full((1, keys, 4), -1, np.float32)
    v = np.full((1, keys, 4), -3, np.float32)
    v[0, 0] = 3  # all the others are at the lower end
    want = -3 + 6 / keys
    np.testing.assert_allclose(attend([q, k, v], 1, 4, 1.0, isa, precision="int8"), want, atol=1e-5)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_products_do_not_saturate(sign: int, isa: str) -> None:
    rng = np.random.default_rng(0)
    q = np.full((1, 7, 256), 1, np.float32)
    k = np.full((1, 70, 256), sign, np.float32) * rng.choice([1, 0.5], (1, 70, 1)).astype(np.float32)
    v = rng.choice([-1, 1], (1, 70, 256)).astype(np.float32)
    check([q, k, v], 1, 1 / 256, [isa])


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("zeros", [False, True])
def test_masked_keys_count_for_nothing_and_masked_rows_are_nan_or_zeros(zeros: bool, isa: str) -> None:
    q, k, v = operands(1, 9, 37, 24)
    mask = np.where(np.arange(37) < np.arange(9)[:, None] * 4, np.float32(0), np.float32(-np.inf))
    y = check([q, k, v, mask], 2, 0.3, [isa], zeros=zeros)
    assert np.isnan(y[0, 0]).all() != zeros
    assert np.isfinite(y[0, 1:]).all()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("never", [-np.inf, np.finfo(np.float32).min, -1e30])
def test_padding_does_not_change_a_bit(never: float, isa: str) -> None:
    q, k, v = operands(1, 20, 33, 24)
    shown = np.zeros((1, 1, 1, 33), np.float32)
    alone = attend([q, k, v, shown], 2, 12, 0.3, isa, precision="int8")
    wider = [np.concatenate([x, np.full((1, 50, 24), 1e9, np.float32)], axis=1) for x in (k, v)]
    mask = np.concatenate([shown, np.full((1, 1, 1, 50), never, np.float32)], axis=-1)
    y = attend([q, *wider, mask], 2, 12, 0.3, isa, precision="int8")
    np.testing.assert_array_equal(y, alone)


@pytest.mark.parametrize("isa", ISAS)
def test_a_row_masked_by_the_least_float_is_a_plain_mean(isa: str) -> None:
    q, k, v = operands(1, 3, 20, 8)
    mask = np.full((1, 1, 1, 20), np.finfo(np.float32).min)
    y = check([q, k, v, mask], 1, 1.0, [isa])
    np.testing.assert_allclose(y, np.broadcast_to(v.mean(axis=1, keepdims=True), y.shape), atol=0.03)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_reaches_as_far_as_it_counts(bad: float, isa: str) -> None:
    def places(which: int) -> Array:
        inputs = operands(1, 8, 40, 32)
        inputs[which][0, 3, 5] = bad
        return np.isnan(check(inputs, 1, 0.2, [isa], zeros=True))[0]

    row, channel = np.arange(8)[:, None] == 3, np.arange(32) == 5
    np.testing.assert_array_equal(places(0), np.broadcast_to(row, (8, 32)))
    assert places(1).all()
    np.testing.assert_array_equal(places(2), np.broadcast_to(channel, (8, 32)))


@pytest.mark.parametrize("isa", ISAS)
def test_a_masks_nan_stays_in_its_row(isa: str) -> None:
    q, k, v = operands(1, 8, 40, 16)
    mask = np.zeros((8, 40), np.float32)
    mask[3, 39] = np.nan
    y = check([q, k, v, mask], 1, 0.2, [isa], zeros=True)
    np.testing.assert_array_equal(np.isnan(y).all(axis=-1)[0], np.arange(8) == 3)
    assert np.isfinite(y[0, 4:]).all()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("scale", [-0.4, 0.0, 1e-38, 3e38])
def test_any_scale_is_the_definitions(scale: float, isa: str) -> None:
    check(operands(1, 9, 40, 16), 2, scale, [isa])


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("size", [1e-45, 1e-39, 1e-36, 1e18, 3e38])
def test_any_size_is_the_definitions(size: float, isa: str) -> None:
    q, k, v = (np.clip(x * 0.2, -1, 1) * np.float32(size) for x in operands(1, 7, 33, 16))
    check([q, k, v], 1, 0.3, [isa])


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_do_not_change_a_bit(threads: int) -> None:
    check(operands(2, 301, 150, 32), 2, 0.25, ISAS[:1], threads)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("d", [32, 20])
def test_bytes_out_are_the_floats_quantized(d: int, isa: str) -> None:
    q, k, v = operands(2, 130, 50, 4 * d)
    floats = attention_int8(q, k, v, None, 4, d**-0.5)
    out = {"scale": 0.01, "zero": 100, "low": 0, "high": 255}
    levels = attend([q, k, v], 4, d, d**-0.5, isa, threads=2, out=out, precision="int8")
    np.testing.assert_array_equal(levels, np.clip(np.rint(floats * (np.float32(1) / np.float32(0.01))) + 100, 0, 255))


@pytest.mark.parametrize("isa", ISAS)
def test_left_to_the_executor_few_positions_are_floats_and_many_int8_except_where_there_is_no_gain(isa: str) -> None:
    for rows, keys, gains in ((16, 16, False), (300, 16, False), (16, 300, False), (160, 160, isa != "scalar")):
        q, k, v = operands(1, rows, keys, 64)
        got = attend([q, k, v], 2, 32, 0.2, isa, precision="fastest")
        want = attend([q, k, v], 2, 32, 0.2, isa, precision="int8" if gains else "float32")
        np.testing.assert_array_equal(got, want)


def test_without_a_word_of_it_the_products_are_floats() -> None:
    q, k, v = operands(1, 200, 200, 64)
    one, other = (attend([q, k, v], 2, 32, 0.2, **said) for said in ({}, {"precision": "float32"}))
    np.testing.assert_array_equal(one, other)


def test_precisions_that_there_are_not_and_keys_past_the_most_are_refused() -> None:
    q, k, v = operands(1, 2, 3, 4)
    for wrong in ("int4", "", "INT8"):
        with pytest.raises(PlanError, match="none of float32, int8, fastest"):
            attend([q, k, v], 1, 4, 1.0, precision=wrong)
    with pytest.raises(EngineError):
        attend([q, k, v], 1, 4, 1.0, precision=8)
    far = np.zeros((1, 65_537, 1), np.float32)
    with pytest.raises(UnsupportedError, match="65,536 keys"):
        attend([far[:, :1], far, far], 1, 1, 1.0, precision="int8")
    assert not attend([far[:, :1], far, far], 1, 1, 1.0, precision="fastest").any()
