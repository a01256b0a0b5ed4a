"""Softmax and the normalizations, on every instruction set, against float64."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedwell.core.errors import EngineError
from speedwell.native import supported_isas

from .plans import run_operator

ISAS = supported_isas()
WIDTHS = [1, 7, 15, 16, 17, 31, 33, 384, 1000]
OUT = {"scale": 0.02, "zero": 128, "low": 0, "high": 255}

Array = np.ndarray


def f32(values: Sequence[float] | Sequence[Sequence[float]]) -> Array:
    return np.array(values, np.float32)


def softmax(x: Array, axis: int = -1) -> Array:
    with np.errstate(invalid="ignore"):
        e = np.exp(x.astype(np.float64) - x.max(axis=axis, keepdims=True))
        return np.asarray(e / e.sum(axis=axis, keepdims=True))


def normalized(x: Array, epsilon: float, axes: tuple[int, ...] = (-1,)) -> Array:
    x = x.astype(np.float64)
    off = x - x.mean(axis=axes, keepdims=True)
    return np.asarray(off / np.sqrt(x.var(axis=axes, keepdims=True) + epsilon))


def floats(*shape: int, seed: int = 0, spread: float = 1.0) -> Array:
    return np.random.default_rng((seed, *shape)).normal(0, spread, shape).astype(np.float32)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("n", WIDTHS)
def test_softmax_is_exact_to_float32(n: int, isa: str) -> None:
    x = floats(5, n, spread=8)
    expected, below = softmax(x), x.max(axis=-1, keepdims=True) - x
    (y,) = run_operator("Softmax", [x], isa=isa)
    # x - max is off by half a unit in its last place, e^(x - max) by as much relatively; then exp, sum and quotient.
    assert np.all(np.abs(y - expected) <= expected * (6e-7 + 6e-8 * below) + 1e-37)
    (y,) = run_operator("LogSoftmax", [x], isa=isa)
    np.testing.assert_allclose(y, np.log(expected), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("kind", ["Softmax", "LogSoftmax"])
def test_softmax_of_extreme_rows(kind: str, isa: str) -> None:
    inf, nan = np.inf, np.nan
    rows = f32([[3e38, 3e38, -3e38], [-inf, 1, 1], [-inf, -inf, -inf], [nan, 1, 2], [inf, 1, 2], [1e4, 0, -1e4]])
    for width in (3, 21):
        x = np.concatenate([rows, np.full((len(rows), width - 3), -inf, np.float32)], axis=1)
        (y,) = run_operator(kind, [x], isa=isa)
        with np.errstate(divide="ignore"):
            expected = softmax(x) if kind == "Softmax" else np.log(softmax(x))
        if kind == "LogSoftmax":
            expected[0, 2], expected[5, :3] = -inf, [0, -1e4, -2e4]  # past the least float; past the least e^x
        np.testing.assert_allclose(y, expected, rtol=1e-6)


@settings(max_examples=30, deadline=None)
@given(
    shape=st.lists(st.integers(0, 20), min_size=1, max_size=4),
    data=st.data(),
    kind=st.sampled_from(["Softmax", "LogSoftmax"]),
    isa=st.sampled_from(ISAS),
)
def test_softmax_goes_over_any_axis(shape: list[int], data: st.DataObject, kind: str, isa: str) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = floats(*shape, spread=3)
    (y,) = run_operator(kind, [x], {"axis": axis}, isa=isa, threads=2)
    assert y.shape == x.shape
    if x.size:
        expected = softmax(x, axis)
        np.testing.assert_allclose(y, expected if kind == "Softmax" else np.log(expected), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("n", WIDTHS)
@pytest.mark.parametrize("extras", [False, True])
def test_layer_norm_gives_floats_bytes_and_the_sum(n: int, extras: bool, isa: str) -> None:
    x, gamma = floats(3, 4, n) + 5, floats(n, seed=1)
    beta, residual = (floats(n, seed=2), floats(3, 4, n, seed=3)) if extras else (None, None)
    y, levels, total = run_operator(
        "layer_norm", [x, gamma, beta, residual], {"epsilon": 1e-12, "out": OUT}, outputs=3, isa=isa, threads=2
    )
    summed = x + residual if extras else x
    expected = normalized(summed, 1e-12) * gamma + (beta if extras else 0)
    np.testing.assert_array_equal(total, summed)
    np.testing.assert_allclose(y, expected, atol=1e-5 if n > 1 else 2)
    np.testing.assert_array_equal(levels, np.clip(np.rint(y * (np.float32(1) / np.float32(0.02))) + 128, 0, 255))


@pytest.mark.parametrize("isa", ISAS)
def test_layer_norm_keeps_nan_in_its_row_and_constant_rows_finite(isa: str) -> None:
    x = np.full((3, 40), 7, np.float32)
    x[1, 3] = np.nan
    (y,) = run_operator("layer_norm", [x, np.ones(40, np.float32)], {"epsilon": 1e-5}, isa=isa)
    assert np.isnan(y[1]).all()
    np.testing.assert_array_equal(y[[0, 2]], 0)


@settings(max_examples=30, deadline=None)
@given(shape=st.lists(st.integers(1, 9), min_size=1, max_size=4), data=st.data(), isa=st.sampled_from(ISAS))
def test_layer_normalization_goes_over_trailing_axes(shape: list[int], data: st.DataObject, isa: str) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    trailing = tuple(range(axis % len(shape), len(shape)))
    columns = [shape[i] for i in trailing]
    x, scale, bias = floats(*shape), floats(*columns, seed=1), floats(*columns, seed=2)
    (y,) = run_operator("LayerNormalization", [x, scale, bias], {"axis": axis, "epsilon": 1e-3}, isa=isa)
    np.testing.assert_allclose(y, normalized(x, 1e-3, trailing) * scale + bias, atol=1e-5)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("shape", [(3, 5), (2, 4, 1), (2, 6, 5, 7), (1, 8, 40, 40)])
def test_channel_normalizations_equal_their_definitions(shape: tuple[int, ...], isa: str) -> None:
    channels, inner = shape[1], tuple(range(2, len(shape)))
    along = (-1,) + (1,) * len(inner)
    x, scale, bias, mean = (floats(*size, seed=i) for i, size in enumerate([shape, *[(channels,)] * 3]))
    variance = np.abs(floats(channels, seed=9)) + np.float32(0.1)
    (y,) = run_operator("BatchNormalization", [x, scale, bias, mean, variance], {"epsilon": 1e-3}, isa=isa, threads=2)
    a = (scale / np.sqrt(variance.astype(np.float64) + 1e-3)).reshape(along)
    np.testing.assert_allclose(y, (x - mean.reshape(along)) * a + bias.reshape(along), atol=1e-5)

    wide = (scale.reshape(along), bias.reshape(along))
    if inner:
        (y,) = run_operator("InstanceNormalization", [x, scale, bias], isa=isa, threads=2)
        np.testing.assert_allclose(y, normalized(x, 1e-5, inner) * wide[0] + wide[1], atol=1e-5)
    if channels % 2 == 0:
        grouped = normalized(x.reshape(shape[0], 2, -1), 1e-5).reshape(shape)
        (y,) = run_operator("GroupNormalization", [x, scale, bias], {"num_groups": 2}, isa=isa, threads=2)
        np.testing.assert_allclose(y, grouped * wide[0] + wide[1], atol=1e-5)
        (y,) = run_operator("GroupNormalization", [x, scale[:2], bias[:2]], {"num_groups": 2}, isa=isa)
        each = (np.repeat(v[:2], channels // 2).reshape(along) for v in (scale, bias))
        np.testing.assert_allclose(y, grouped * next(each) + next(each), atol=1e-5)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_do_not_change_a_bit(threads: int) -> None:
    x, gamma = floats(701, 129), floats(129, seed=1)
    for kind, inputs in {"Softmax": [x], "layer_norm": [x, gamma], "LogSoftmax": [x]}.items():
        alone, shared = (run_operator(kind, inputs, threads=t)[0] for t in (1, threads))
        np.testing.assert_array_equal(alone, shared)


@pytest.mark.parametrize(
    ("kind", "shapes", "attributes"),
    [
        ("Softmax", [(3,)], {"axis": 1}),
        ("Softmax", [()], {}),
        ("layer_norm", [(2, 3), (2,)], {}),
        ("layer_norm", [(2, 3), (3,), (3,), (3,)], {}),
        ("layer_norm", [(2, 3), (3,)], {"epsilon": -1.0}),
        ("LayerNormalization", [(2, 3), (2, 3)], {"axis": -1}),
        ("BatchNormalization", [(2, 3, 4), (3,), (3,), (3,), (4,)], {}),
        ("BatchNormalization", [(2, 3), (3,), (3,), (3,), (3,)], {"training_mode": 1}),
        ("InstanceNormalization", [(3,), (3,), (3,)], {}),
        ("GroupNormalization", [(2, 3, 4), (3,), (3,)], {"num_groups": 2}),
        ("GroupNormalization", [(2, 3, 4), (3,), (3,)], {"num_groups": 0}),
    ],
)
def test_shapes_and_attributes_that_do_not_fit_are_refused(
    kind: str, shapes: Sequence[tuple[int, ...]], attributes: dict[str, float]
) -> None:
    with pytest.raises(EngineError):
        run_operator(kind, [np.ones(shape, np.float32) for shape in shapes], attributes)
