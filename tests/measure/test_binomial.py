import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from speedwell.measure.binomial import binomial_bounds, binomial_log_pmf, binomial_upper_tail, log_gamma


def test_tails_are_scipys():
    rng = np.random.default_rng(0)
    k, more, p = rng.integers(0, 3000, 2000), rng.integers(0, 3000, 2000), rng.random(2000)
    np.testing.assert_allclose(binomial_upper_tail(k, k + more, p), stats.binom.sf(k - 1, k + more, p), atol=1e-11)
    small = rng.random(2000) * 0.01
    np.testing.assert_allclose(
        binomial_upper_tail(np.arange(2000) % 30, 5000, small), stats.binom.sf(np.arange(2000) % 30 - 1, 5000, small),
        rtol=1e-9, atol=1e-17,
    )  # fmt: skip


def test_a_hundred_thousand_trials_are_within_reach():
    k = np.array([0, 900, 1000, 1100, 100_000])
    np.testing.assert_allclose(
        binomial_upper_tail(k, 100_000, 0.01), stats.binom.sf(k - 1, 100_000, 0.01), rtol=1e-8, atol=1e-17
    )


def test_the_edges_are_certain():
    assert binomial_upper_tail(0, 10, 0.0) == 1
    assert binomial_upper_tail(1, 10, 0.0) == 0
    assert binomial_upper_tail(10, 10, 1.0) == 1
    assert binomial_upper_tail(11, 10, 1.0) == 0
    assert binomial_upper_tail(1, 0, 0.5) == 0


def test_log_gamma_and_probabilities_are_scipys():
    x = np.arange(1.0, 3000.0)
    np.testing.assert_allclose(log_gamma(x), special.gammaln(x), rtol=1e-13, atol=1e-13)
    k = np.arange(0.0, 101.0)
    expected = stats.binom.logpmf(k, 100, 0.3)
    np.testing.assert_allclose(binomial_log_pmf(k, np.array(100.0), np.array(0.3)), expected, rtol=1e-11)


@pytest.mark.parametrize(("k", "n", "points"), [(0, 300, 0.99), (12, 2000, 0.97)])
def test_the_designs_oracles(k, n, points):
    assert round(100 * binomial_bounds(k, n, 0.05)[1], 2) == points


@settings(max_examples=25)
@given(st.integers(1, 400), st.data())
def test_bounds_are_the_beta_quantiles_and_grow_with_k(n, data):
    k = data.draw(st.integers(0, n))
    low, high = binomial_bounds(k, n, 0.05)
    assert low == pytest.approx(stats.beta.ppf(0.05, k, n - k + 1) if k else 0.0, abs=1e-9)
    assert high == pytest.approx(stats.beta.ppf(0.95, k + 1, n - k) if k < n else 1.0, abs=1e-9)
    assert low <= k / n <= high
    if k < n:
        assert binomial_bounds(k + 1, n, 0.05)[1] >= high


def test_a_count_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="5 of 4"):
        binomial_bounds(5, 4, 0.05)
