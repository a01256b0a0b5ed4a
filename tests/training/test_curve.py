from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedwell.core.errors import UsageError
from speedwell.training.curve import fit_curve

SIZES = (250, 500, 1000, 2000, 4000)


@settings(deadline=None, max_examples=25)
@given(st.floats(0.2, 1.2), st.floats(0, 0.1), st.floats(0.3, 0.8))
def test_a_curve_without_noise_is_continued(exponent, floor, first):
    n = np.array(SIZES, float)
    errors = floor + (first - floor) * (n / n[0]) ** -exponent
    curve = fit_curve(SIZES, errors, 100_000)
    wanted = floor + (first - floor) * (2 * n[-1] / n[0]) ** -exponent
    assert curve.doubled == pytest.approx(wanted, abs=0.006)
    assert curve.low <= curve.doubled <= curve.high


@pytest.mark.slow
def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    n, held = np.array(SIZES, float), 0
    truth = 0.04 + 0.4 * (n / n[0]) ** -0.5
    future = 0.04 + 0.4 * (2 * n[-1] / n[0]) ** -0.5
    for seed in range(60):
        seen = rng.binomial(1000, truth) / 1000
        curve = fit_curve(SIZES, seen, 1000, seed)
        held += curve.low <= future <= curve.high
    assert held >= 51  # 95 % of 60 are 57; below 51 would be a chance of one in a thousand


def test_it_says_what_twice_the_data_would_bring_or_that_it_cannot_tell():
    clear = fit_curve(SIZES, [0.4, 0.28, 0.2, 0.14, 0.1], 20_000)
    assert "8,000 would give about" in clear.text
    assert "points fewer" in clear.text
    flat = fit_curve(SIZES, [0.11, 0.1, 0.1, 0.11, 0.1], 200)
    assert "cannot be told" in flat.text


@pytest.mark.parametrize(
    ("sizes", "errors", "judged"),
    [
        ((1, 2), (0.1, 0.2), 9),
        ((1, 2, 2), (0.1, 0.1, 0.1), 9),
        ((1, 2, 3), (0.1, 1.2, 0.1), 9),
        ((1, 2, 3), (0.1,) * 3, 0),
    ],
)
def test_too_little_to_fit_is_refused(sizes, errors, judged):
    with pytest.raises(UsageError):
        fit_curve(sizes, errors, judged)
