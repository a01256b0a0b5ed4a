"""Floats to bytes and back: exact, on every instruction set, at every width."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedwell.core.errors import EngineError
from speedwell.native import supported_isas

from .plans import run_operator

Array = np.ndarray

ISAS = supported_isas()
WIDTHS = [0, 1, 7, 15, 16, 17, 31, 33, 64, 384, 1000, 40_000]


def f32(values: Sequence[float] | Sequence[Sequence[float]]) -> Array:
    return np.array(values, np.float32)


def quantized(x: np.ndarray, scale: float, zero: int, low: int = 0, high: int = 255) -> np.ndarray:
    """The definition, in float32; NaN is the least."""
    levels = np.rint(x * (np.float32(1) / np.float32(scale))).astype(np.float64) + zero
    return np.where(np.isnan(x), low, np.clip(levels, low, high)).astype(np.uint8)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("n", WIDTHS)
def test_quantize_equals_its_definition_at_every_width(n: int, isa: str) -> None:
    x = np.random.default_rng(n).normal(0, 10, n).astype(np.float32)
    (y,) = run_operator("quantize", [x], {"scale": 0.1, "zero": 117, "low": 3, "high": 250}, isa=isa, threads=2)
    np.testing.assert_array_equal(y, quantized(x, 0.1, 117, 3, 250))
    assert y.dtype == np.uint8


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("zero", [0, 7, 128])
def test_ties_go_to_the_even_level_whatever_the_zero_point(zero: int, isa: str) -> None:
    x = np.arange(-150, 300, dtype=np.float32) / 2
    (y,) = run_operator("quantize", [x], {"scale": 1.0, "zero": zero}, isa=isa)
    np.testing.assert_array_equal(y, np.clip(np.rint(x) + zero, 0, 255))
    assert run_operator("quantize", [f32([0.5, 1.5, 2.5])], {"scale": 1.0, "zero": 0}, isa=isa)[0].tolist() == [
        0,
        2,
        2,
    ]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("n", [5, 70])
def test_what_lies_outside_is_clipped_and_nan_is_the_least(n: int, isa: str) -> None:
    x = np.resize(f32([np.nan, np.inf, -np.inf, 3e38, -3e38]), n)
    (y,) = run_operator("quantize", [x], {"scale": 1e-3, "zero": 60, "low": 2, "high": 127}, isa=isa)
    np.testing.assert_array_equal(y, np.resize([2, 127, 2, 127, 2], n))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("n", WIDTHS)
def test_dequantize_equals_its_definition(n: int, isa: str) -> None:
    x = np.random.default_rng(n).integers(0, 256, n).astype(np.uint8)
    (y,) = run_operator("dequantize", [x], {"scale": 0.037, "zero": 119}, isa=isa, threads=2)
    np.testing.assert_array_equal(y, (x.astype(np.float32) - 119) * np.float32(0.037))


@pytest.mark.parametrize(
    "broken", [{"scale": 0.0}, {"scale": -1.0}, {"zero": 256}, {"low": 9, "high": 3}, {"scale": 1e-45}]
)
def test_a_quantization_that_cannot_be_is_refused(broken: dict[str, float]) -> None:
    with pytest.raises(EngineError):
        run_operator("quantize", [np.zeros(3, np.float32)], {"scale": 1.0, "zero": 0} | broken)


@settings(max_examples=25, deadline=None)
@given(
    shape=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    data=st.data(),
    signed=st.booleans(),
    isa=st.sampled_from(ISAS),
)
def test_linear_quantization_has_onnx_meaning_for_any_axis(
    shape: list[int], data: st.DataObject, signed: bool, isa: str
) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    each = data.draw(st.booleans())
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    kind = np.int8 if signed else np.uint8
    ends = np.iinfo(kind)
    count = shape[axis] if each else ()
    along = [shape[axis] if i == axis % len(shape) and each else 1 for i in range(len(shape))]
    scale = np.asarray(rng.uniform(0.01, 1, count), np.float32)
    zero = np.asarray(rng.integers(ends.min, ends.max, count, endpoint=True), kind)
    x = rng.normal(0, 30, shape).astype(np.float32)
    (y,) = run_operator("QuantizeLinear", [x, scale, zero], {"axis": axis}, isa=isa)
    wide_scale, wide_zero = scale.reshape(along), zero.reshape(along).astype(np.float32)
    np.testing.assert_array_equal(y, np.clip(np.rint(x / wide_scale) + wide_zero, ends.min, ends.max))
    assert y.dtype == kind
    (back,) = run_operator("DequantizeLinear", [y, scale, zero], {"axis": axis}, isa=isa)
    np.testing.assert_array_equal(back, (y.astype(np.float32) - wide_zero) * wide_scale)


def test_linear_quantization_without_a_zero_point_is_unsigned_from_0() -> None:
    x = f32([-1, 0.5, 1.5, 300])
    (y,) = run_operator("QuantizeLinear", [x, np.float32(1)])
    assert (y.dtype, y.tolist()) == (np.uint8, [0, 0, 2, 255])
    (y,) = run_operator("QuantizeLinear", [x, np.float32(1)], {"output_dtype": 3})
    assert (y.dtype, y.tolist()) == (np.int8, [-1, 0, 2, 127])


def test_sums_of_32_bits_are_scaled_by_channel() -> None:
    x = np.random.default_rng(0).integers(-(2**31), 2**31, (2, 3, 5)).astype(np.int32)
    scale = f32([0.5, 2e-6, 3])
    (y,) = run_operator("DequantizeLinear", [x, scale], {"axis": 1})
    np.testing.assert_array_equal(y, x.astype(np.float32) * scale[:, None])


@pytest.mark.parametrize(
    ("kind", "inputs"),
    [
        ("QuantizeLinear", [np.zeros((2, 3), np.float32), np.ones(2, np.float32)]),
        ("QuantizeLinear", [np.zeros(3, np.float32), np.ones(3, np.float32), np.zeros(2, np.uint8)]),
        ("QuantizeLinear", [np.zeros(3, np.float32), np.float32(1), np.zeros(3, np.int32)]),
        ("DequantizeLinear", [np.zeros(3, np.uint8), np.float32(1), np.int8(0)]),
        ("DequantizeLinear", [np.zeros(3, np.uint8)]),
    ],
)
def test_scales_and_zero_points_that_do_not_fit_are_refused(kind: str, inputs: list[np.ndarray]) -> None:
    with pytest.raises(EngineError):
        run_operator(kind, [np.asarray(x) for x in inputs])


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("n", [1, 17, 384, 70_000])
@pytest.mark.parametrize("shift", [0.0, 50.0, -50.0])
def test_dynamic_quantization_has_onnx_meaning(n: int, shift: float, isa: str) -> None:
    x = np.random.default_rng(n).normal(shift, 3, n).astype(np.float32)
    y, scale, zero = run_operator("DynamicQuantizeLinear", [x], outputs=3, isa=isa, threads=2)
    low, high = min(x.min(), np.float32(0)), max(x.max(), np.float32(0))
    expected = (high - low) / np.float32(255)
    origin = np.rint(np.clip(-low / expected, 0, 255))
    assert scale == expected
    assert zero == origin
    assert (y.dtype, scale.shape, zero.dtype) == (np.uint8, (), np.uint8)
    np.testing.assert_array_equal(y, np.clip(np.rint(x / expected) + origin, 0, 255))


@pytest.mark.parametrize("isa", ISAS)
def test_dynamic_quantization_of_nothing_but_zeros_gives_zeros(isa: str) -> None:
    y, scale, zero = run_operator("DynamicQuantizeLinear", [np.zeros(33, np.float32)], outputs=3, isa=isa)
    assert (y.any(), scale, zero) == (False, 1, 0)
