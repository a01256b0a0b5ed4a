"""Attention, on every instruction set, against float64: all edges of the blocks, masks, offsets, bytes out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedwell.core.errors import EngineError, InputMismatchError
from speedwell.native import supported_isas

from .plans import run_operator

ISAS = supported_isas()

Array = np.ndarray


def attention(q: Array, k: Array, v: Array, mask: Array | None, heads: int, scale: float, zeros: bool = False) -> Array:
    """The definition, in float64."""

    def apart(x: Array) -> Array:
        return x.astype(np.float64).reshape(*x.shape[:2], heads, -1).transpose(0, 2, 1, 3)

    scores = apart(q) @ apart(k).transpose(0, 1, 3, 2) * scale
    if mask is not None:
        scores = scores + mask
    with np.errstate(invalid="ignore"):
        e = np.exp(scores - scores.max(axis=-1, keepdims=True, initial=-np.inf))
        share = e / e.sum(axis=-1, keepdims=True)
    share = np.where(np.isneginf(scores).all(axis=-1, keepdims=True), 0.0, share) if zeros else share
    return np.asarray(share @ apart(v)).transpose(0, 2, 1, 3).reshape(q.shape)


def attend(
    inputs: Sequence[Array | None], heads: int, d: int, scale: float, isa: str = "", threads: int = 1, **more: Any
) -> Array:
    attributes = {"heads": heads, "head_dim": d, "scale": scale, **more}
    (y,) = run_operator("attention", inputs, attributes, isa=isa, threads=threads)
    return np.asarray(y)


def operands(batch: int, rows: int, keys: int, width: int, seed: int = 0) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [rng.normal(0, 1, (batch, n, width)).astype(np.float32) for n in (rows, keys, keys)]


@settings(max_examples=60, deadline=None)
@given(
    batch=st.integers(1, 2),
    heads=st.integers(1, 3),
    rows=st.integers(1, 40),
    keys=st.integers(1, 70),
    d=st.integers(1, 40),
    masked=st.sampled_from([None, (1, 1), (1, 0), (0, 0)]),
    isa=st.sampled_from(ISAS),
)
def test_attention_equals_its_definition_for_any_shape(
    batch: int, heads: int, rows: int, keys: int, d: int, masked: tuple[int, int] | None, isa: str
) -> None:
    q, k, v = operands(batch, rows, keys, heads * d)
    mask = None
    if masked is not None:
        shape = (batch, 1, rows if masked[0] else 1, keys if masked[1] else 1)
        mask = np.random.default_rng(1).normal(0, 2, shape).astype(np.float32)
    y = attend([q, k, v, mask], heads, d, d**-0.5, isa, threads=2)
    np.testing.assert_allclose(y, attention(q, k, v, mask, heads, d**-0.5), atol=3e-6)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("heads", "rows", "d"), [(12, 11, 32), (3, 197, 64), (1, 300, 32), (2, 33, 256)])
def test_q_k_and_v_may_lie_side_by_side(heads: int, rows: int, d: int, threads: int, isa: str) -> None:
    wide = heads * d
    (both, *_) = operands(2, rows, rows, 3 * wide + 5)
    offsets = {"q_offset": 5, "k_offset": 5 + wide, "v_offset": 5 + 2 * wide}
    y = attend([both, both, both], heads, d, d**-0.5, isa, threads, **offsets)
    q, k, v = (both[..., 5 + i * wide : 5 + (i + 1) * wide] for i in range(3))
    np.testing.assert_allclose(y, attention(q, k, v, None, heads, d**-0.5), atol=3e-6)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("zeros", [False, True])
def test_masked_keys_count_for_nothing_and_masked_rows_are_nan_or_zeros(zeros: bool, isa: str) -> None:
    q, k, v = operands(1, 9, 37, 24)
    mask = np.where(np.arange(37) < np.arange(9)[:, None] * 4, np.float32(0), np.float32(-np.inf))
    y = attend([q, k, v, mask], 2, 12, 0.3, isa, nan_to_zero=zeros)
    np.testing.assert_allclose(y, attention(q, k, v, mask, 2, 0.3, zeros), atol=3e-6)
    assert np.isnan(y[0, 0]).all() != zeros
    # What the masked keys hold does not matter, as long as it is finite.
    k[0, 32:], v[0, 32:] = 99, 1e30
    again = attend([q, k, v, mask], 2, 12, 0.3, isa, nan_to_zero=zeros)
    np.testing.assert_array_equal(y, again)


@pytest.mark.parametrize("isa", ISAS)
def test_a_row_masked_by_the_least_float_is_a_plain_mean(isa: str) -> None:
    q, k, v = operands(1, 3, 20, 8)
    mask = np.full((1, 1, 1, 20), np.finfo(np.float32).min)
    y = attend([q, k, v, mask], 1, 8, 1.0, isa)
    np.testing.assert_allclose(y, np.broadcast_to(v.mean(axis=1, keepdims=True), y.shape), atol=1e-6)


@pytest.mark.parametrize("isa", ISAS)
def test_nan_stays_in_its_row_even_where_nan_to_zero_is_asked(isa: str) -> None:
    q, k, v = operands(1, 8, 12, 16)
    q[0, 3, 2] = np.nan
    y = attend([q, k, v], 1, 16, 1.0, isa, nan_to_zero=True)
    np.testing.assert_array_equal(np.isnan(y).all(axis=-1)[0], np.arange(8) == 3)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("d", [32, 20])
def test_bytes_out_are_the_floats_quantized(d: int, isa: str) -> None:
    q, k, v = operands(2, 130, 50, 4 * d)
    floats = attend([q, k, v], 4, d, d**-0.5, isa, threads=2)
    out = {"scale": 0.01, "zero": 100, "low": 0, "high": 255}
    levels = attend([q, k, v], 4, d, d**-0.5, isa, threads=2, out=out)
    inverse = np.float32(1) / np.float32(0.01)
    np.testing.assert_array_equal(levels, np.clip(np.rint(floats * inverse) + 100, 0, 255))


def test_without_keys_there_is_nothing_to_add_up() -> None:
    q, k, v = operands(1, 4, 0, 8)
    y = attend([q, k, v], 1, 8, 1.0)
    np.testing.assert_array_equal(y, np.zeros((1, 4, 8)))


@pytest.mark.parametrize(
    ("attributes", "mask"),
    [
        ({"heads": 0}, None),
        ({"head_dim": 9}, None),
        ({"head_dim": 257}, None),
        ({"q_offset": -1}, None),
        ({"v_offset": 1}, None),
        ({"heads": 1 << 40}, None),
        ({}, (5, 7)),
        ({}, (2, 1, 1, 6)),
        ({}, (1, 1, 1, 1, 6)),
    ],
)
def test_heads_and_masks_that_do_not_fit_are_refused(attributes: dict[str, int], mask: tuple[int, ...] | None) -> None:
    inputs = [*operands(1, 4, 6, 16), None if mask is None else np.zeros(mask, np.float32)]
    with pytest.raises((EngineError, InputMismatchError)):
        run_operator("attention", inputs, {"heads": 2, "head_dim": 8, "scale": 1.0} | attributes)


def test_batches_and_keys_that_differ_are_refused() -> None:
    q, k, v = operands(2, 4, 6, 8)
    for wrong in ([q[:1], k, v], [q, k, v[:, :5]], [q[0], k[0], v[0]]):
        with pytest.raises((EngineError, InputMismatchError)):
            attend(wrong, 1, 8, 1.0)


@pytest.mark.parametrize("isa", ISAS)
def test_scores_of_any_size_give_shares_that_add_up_to_1(isa: str) -> None:
    rng = np.random.default_rng(0)
    for size in (1e4, 1e9, 1e18):
        q, k = (np.float32(size) * rng.normal(size=(1, 7, 16)).astype(np.float32) for _ in range(2))
        y = attend([q, k, np.ones((1, 7, 16), np.float32)], 1, 16, 0.3, isa)
        np.testing.assert_allclose(y, 1, rtol=1e-6)
