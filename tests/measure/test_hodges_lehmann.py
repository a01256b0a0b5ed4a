import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from speedwell.measure.hodges_lehmann import hodges_lehmann_interval, signed_rank_cdf, signed_rank_p

VALUES = st.lists(st.floats(-100, 100), min_size=6, max_size=20)


def test_the_distribution_is_counted_exactly():
    n = 10
    sums = [sum(r for r in range(1, n + 1) if mask >> (r - 1) & 1) for mask in range(1 << n)]
    expected = np.cumsum(np.bincount(sums)) / (1 << n)
    np.testing.assert_allclose(signed_rank_cdf(n), expected, rtol=1e-12)


@pytest.mark.parametrize("alternative", ["greater", "less", "two-sided"])
def test_without_ties_the_p_value_is_scipys(alternative):
    x = np.random.default_rng(3).standard_normal(15) + 0.3
    expected = stats.wilcoxon(x, alternative=alternative, method="exact").pvalue
    assert signed_rank_p(x, alternative=alternative) == pytest.approx(expected)


def test_with_ties_the_p_value_is_that_of_all_signs():
    x = np.array([1.0, 1.0, -1.0, 2.0, 2.0, 3.0, 0.0])
    ranks = stats.rankdata(np.abs(x[x != 0]))
    w = ranks[x[x != 0] > 0].sum()
    sums = [sum(r for i, r in enumerate(ranks) if mask >> i & 1) for mask in range(1 << len(ranks))]
    assert signed_rank_p(x) == pytest.approx(np.mean(np.array(sums) >= w))
    assert signed_rank_p([0.0, 0.0]) == 1.0


def test_beyond_fifty_values_it_is_normal():
    x = np.random.default_rng(4).standard_normal(80) + 0.1
    assert signed_rank_p(x) == pytest.approx(stats.wilcoxon(x, alternative="greater", method="approx").pvalue, abs=0.01)
    low, high = (hodges_lehmann_interval(x).low, hodges_lehmann_interval(x).high)
    assert low < x.mean() < high


@pytest.mark.parametrize(("n", "k"), [(6, 0), (8, 3), (12, 13), (20, 52), (30, 137)])
def test_critical_values_are_the_tables(n, k):
    x = np.random.default_rng(n).standard_normal(n)
    i, j = np.triu_indices(n)
    walsh = np.sort(0.5 * (x[i] + x[j]))
    interval = hodges_lehmann_interval(x)
    assert interval.low == walsh[k]
    assert interval.high == walsh[-1 - k]


@given(VALUES, st.floats(-10, 10), st.floats(0.1, 10))
def test_estimate_and_interval_move_and_stretch_with_the_values(values, shift, factor):
    here = hodges_lehmann_interval(values)
    there = hodges_lehmann_interval([factor * v + shift for v in values])
    for one, other in [(here.estimate, there.estimate), (here.low, there.low), (here.high, there.high)]:
        assert other == pytest.approx(factor * one + shift, abs=1e-6)
    mirrored = hodges_lehmann_interval([-v for v in values])
    assert mirrored.low == pytest.approx(-here.high)
    assert here.low <= here.estimate <= here.high


def test_few_values_have_no_end_and_one_side_needs_fewer():
    assert math.isinf(hodges_lehmann_interval([1.0] * 5).low)
    assert hodges_lehmann_interval([1.0] * 5, one_sided=True).low == 1.0
    assert math.isinf(hodges_lehmann_interval([1.0] * 4, one_sided=True).low)


def test_what_is_no_number_is_refused():
    with pytest.raises(ValueError, match="finite"):
        hodges_lehmann_interval([1.0, math.nan])
    with pytest.raises(ValueError, match="at least one"):
        hodges_lehmann_interval([])


def test_the_interval_covers_at_least_its_level():
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(500):
        interval = hodges_lehmann_interval(rng.standard_t(3, 12))
        covered += interval.low <= 0 <= interval.high
    assert covered >= 468
