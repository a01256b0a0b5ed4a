from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedwell.passes.quantize.clipping import METHODS, minmax, mse, percentile, steps
from speedwell.passes.quantize.histogram import Histogram


def histogram(values):
    made = Histogram(float(values.min()), float(values.max()))
    made.add(values)
    return made


def error(values, low, high):
    scale, zero = steps(low, high)
    q = np.clip(np.rint(values / scale) + float(zero), 0, 255)
    return float(np.square((q - float(zero)) * scale - values).mean())


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_steps_hold_zero_exactly_and_cover_the_range(low, width):
    scale, zero = steps(low, low + width)
    assert 0 <= zero <= 255
    assert scale > 0
    low, high = min(0.0, low), max(0.0, low + width)
    if high - low > 1e-30:
        assert -float(zero) * scale == pytest.approx(low, abs=0.5001 * float(scale))
        assert (255 - float(zero)) * scale == pytest.approx(high, abs=0.5001 * float(scale))


def test_minmax_is_the_range():
    assert minmax(histogram(np.array([-1.0, 0.5, 3.0])), 99.99) == (-1, 3)


def test_percentile_cuts_a_lone_outlier_and_keeps_the_rest(normal):
    values = np.append(normal(100_000), 500)
    low, high = percentile(histogram(values), 99.99)
    assert high < 10
    assert low < -2


def test_percentile_after_a_relu_starts_at_zero(normal):
    low, high = percentile(histogram(np.maximum(normal(10_000), 0)), 99.9)
    assert low == 0
    assert high > 2


def test_percentile_of_almost_only_zeros_keeps_a_range():
    values = np.zeros(1_000_000)
    values[0] = 4
    low, high = percentile(histogram(values), 99.99)
    assert high > low


@pytest.mark.parametrize("shape", ["normal", "relu", "heavy", "one-sided"])
def test_mse_is_never_worse_than_the_others(normal, shape):
    values = {"normal": normal(20_000), "relu": np.maximum(normal(20_000), 0), "heavy": normal(20_000) ** 3,
              "one-sided": np.append(normal(20_000), [60.0] * 3)}[shape]  # fmt: skip
    found = {m: error(values, *METHODS[m](histogram(values), 99.99)) for m in METHODS}
    assert found["mse"] <= 1.05 * min(found.values())


def test_mse_cuts_only_the_side_that_has_an_outlier(normal):
    values = np.append(np.clip(normal(1_000_000), -2, 2), 20)
    low, high = mse(histogram(values), 0)
    assert low == pytest.approx(-2, abs=0.3)
    assert high < 15
