import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from speedwell.measure.exact import claim_boundary, exact_p, exact_threshold, rejection_probability, smallest_n
from speedwell.measure.tango import tango_p, tango_z

Z95 = 1.6448536269514722


def brute_force(n12, n21, n, margin, points=400):
    """All tables of n, a fine even grid over the disagreement rate."""
    tables = np.array([(b, c) for b, c in itertools.product(range(n + 1), repeat=2) if b + c <= n])
    z = tango_z(tables[:, 0], tables[:, 1], np.array(n), np.array(-margin))
    inside = tables[z >= float(tango_z(np.array(n12), np.array(n21), np.array(n), np.array(-margin))) - 1e-9]
    best = 0.0
    for psi in np.linspace(margin, 1.0, points):
        p = [(psi - margin) / 2, (psi + margin) / 2, 1 - psi]
        cells = np.column_stack([inside, n - inside.sum(axis=1)])
        best = max(best, float(stats.multinomial.pmf(cells, n, p).sum()))
    return best


@pytest.mark.parametrize(
    "case", [(0, 0, 40, 0.1), (0, 1, 40, 0.1), (2, 3, 40, 0.1), (1, 0, 30, 0.05), (5, 2, 25, 0.2), (0, 2, 60, 0.1)]
)
def test_it_is_the_maximum_over_every_table_and_truth(case):
    mine, brute = exact_p(*case), brute_force(*case)
    assert brute * (1 - 1e-4) <= mine <= brute + 0.002


@pytest.mark.parametrize(("margin", "n"), [(0.02, 149), (0.01, 299), (0.005, 598), (0.002, 1497)])
def test_without_disagreement_the_designs_numbers_are_needed(margin, n):
    assert smallest_n(margin) == n
    assert exact_p(0, 0, n, margin) <= 0.05 < exact_p(0, 0, n - 1, margin)
    assert exact_p(0, 0, n, margin) == pytest.approx((1 - margin) ** n, rel=1e-6)


def test_tango_alone_is_too_liberal_at_268_and_the_threshold_mends_it():
    boundary = claim_boundary(268, 0.01, Z95)
    alone = rejection_probability(268, boundary, np.linspace(0.01, 0.08, 300), 0.01).max()
    assert alone == pytest.approx(0.068, abs=0.001)
    assert math.isinf(exact_threshold(268, 0.01))


@settings(max_examples=12)
@given(st.integers(20, 400), st.floats(0.01, 0.1), st.data())
def test_the_p_value_rises_with_harm(n, margin, data):
    n21 = data.draw(st.integers(0, min(n - 1, 8)))
    n12 = data.draw(st.integers(0, min(n - n21 - 1, 8)))
    here = exact_p(n12, n21, n, margin)
    assert 0 <= here <= 1
    assert exact_p(n12, n21 + 1, n, margin) >= here - 1e-3


def test_the_boundary_is_the_first_table_that_reaches_z():
    boundary = claim_boundary(300, 0.02, Z95)
    for t in range(40):
        z = tango_z(np.arange(t + 1), t - np.arange(t + 1), np.array(300), np.array(-0.02))
        reached = np.flatnonzero(z >= Z95)
        assert boundary[t] == (reached[0] if len(reached) else t + 1)


def test_rejection_is_a_multinomial_sum():
    n, margin = 50, 0.1
    boundary = claim_boundary(n, margin, 1.0)
    for psi, loss in [(0.1, 0.1), (0.3, 0.1), (0.3, -0.2), (1.0, 0.1)]:
        p12, p21 = (psi - loss) / 2, (psi + loss) / 2
        total = sum(
            stats.multinomial.pmf([b, c, n - b - c], n, [p12, p21, 1 - psi])
            for b, c in itertools.product(range(n + 1), repeat=2)
            if b + c <= n and b >= boundary[b + c]
        )
        assert rejection_probability(n, boundary, np.array([psi]), loss)[0] == pytest.approx(total, abs=1e-9)


def test_threshold_and_p_value_are_one_rule():
    for n, margin in [(300, 0.02)]:
        threshold = exact_threshold(n, margin)
        for n12, n21 in itertools.product(range(0, 6), range(0, 12)):
            z = float(tango_z(np.array(n12), np.array(n21), np.array(n), np.array(-margin)))
            if abs(z - threshold) > 2e-3:
                both = exact_p(n12, n21, n, margin) <= 0.05 and tango_p(n12, n21, n, margin) < 0.05
                assert (z >= threshold) == both


PSI = (1.0, 1.02, 1.1, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)


def worst_error(n, margin):
    boundary = claim_boundary(n, margin, exact_threshold(n, margin))
    psi = np.unique(np.concatenate([np.array(PSI) * 0.01, np.linspace(margin, 0.08, 200)]))
    return rejection_probability(n, boundary, psi[psi >= margin], margin).max()


@pytest.mark.parametrize("n", [200, 268, 300, 473, 500, 1000, 1821, 5000])
def test_one_sided_error_stays_at_five_percent_in_every_cell(n):
    assert worst_error(n, 0.02 if n < 268 else 0.01) <= 0.0502


@pytest.mark.slow
@pytest.mark.parametrize("margin", [0.005, 0.01, 0.02])
def test_one_sided_error_stays_at_five_percent_on_the_full_grid(margin):
    for n in [*range(200, 1000, 25), *range(1000, 5001, 250)]:
        if not math.isinf(exact_threshold(n, margin)):
            assert worst_error(n, margin) <= 0.0502, (n, margin)


def test_ten_thousand_samples_are_decided():
    assert exact_p(2, 5, 10_000, 0.005) < 1e-6
    assert exact_p(150, 199, 10_000, 0.005) > 0.05
