import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from speedwell.measure.tango import tango_interval, tango_lower, tango_p, tango_upper, tango_z

TABLES = st.integers(1, 3000).flatmap(
    lambda n: st.tuples(st.integers(0, n), st.integers(0, n), st.just(n)).filter(lambda t: t[0] + t[1] <= n)
)


def z(n12, n21, n, lam):
    return float(tango_z(np.array(n12), np.array(n21), np.array(n), np.array(lam)))


def test_the_papers_table():
    low, high = tango_interval(1, 7, 21)
    assert (round(low, 4), round(high, 4)) == (-0.5172, -0.0260)


def test_at_zero_it_is_mcnemar():
    assert z(12, 5, 500, 0.0) == pytest.approx((12 - 5) / math.sqrt(12 + 5))


@pytest.mark.parametrize("table", [(3, 9, 400), (0, 4, 300), (10, 0, 200), (0, 0, 100)])
@pytest.mark.parametrize("lam", [-0.05, -0.01, 0.02])
def test_the_restricted_estimate_maximises_the_likelihood(table, lam):
    n12, n21, n = table

    def loss(q):
        cells = ((n12, q + lam), (n21, q), (n - n12 - n21, 1 - 2 * q - lam))
        return -sum(c * math.log(max(p, 1e-300)) for c, p in cells if c)

    q = optimize.minimize_scalar(
        loss, bounds=(max(0.0, -lam), (1 - lam) / 2), method="bounded", options={"xatol": 1e-12}
    ).x
    expected = (n12 - n21 - n * lam) / math.sqrt(n * (2 * q + lam * (1 - lam)))
    assert z(n12, n21, n, lam) == pytest.approx(expected, rel=1e-4)


@given(TABLES, st.floats(0.001, 0.2))
def test_z_rises_with_help_and_falls_with_harm_and_with_the_margin(table, margin):
    n12, n21, n = table
    here = z(n12, n21, n, -margin)
    if n12 + n21 < n:
        assert z(n12 + 1, n21, n, -margin) >= here - 1e-9
        assert z(n12, n21 + 1, n, -margin) <= here + 1e-9
    if n21:
        assert z(n12 + 1, n21 - 1, n, -margin) >= here - 1e-9
    assert z(n12, n21, n, -margin * 1.1) >= here - 1e-9


@given(TABLES, st.floats(0.01, 0.2))
def test_the_bound_lies_below_the_estimate_and_falls_with_confidence(table, alpha):
    n12, n21, n = table
    low = tango_lower(n12, n21, n, alpha)
    assert -1.0 <= low <= (n12 - n21) / n + 1e-12
    assert tango_lower(n12, n21, n, alpha / 2) <= low + 1e-12
    assert tango_upper(n21, n12, n, alpha) == pytest.approx(-low)


@given(TABLES, st.floats(0.002, 0.2))
def test_bound_and_test_agree(table, margin):
    n12, n21, n = table
    low, p = tango_lower(n12, n21, n), tango_p(n12, n21, n, margin)
    if abs(low + margin) > 1e-6 and abs(p - 0.05) > 1e-6:
        assert (low > -margin) == (p < 0.05)


def test_an_impossible_table_is_refused():
    with pytest.raises(ValueError, match="no such table"):
        tango_lower(5, 6, 10)
