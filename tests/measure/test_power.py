import numpy as np
import pytest

from speedwell.measure.exact import exact_threshold
from speedwell.measure.power import claim_power, needed_n, rough_n, tightest_margin
from speedwell.measure.tango import tango_z


@pytest.mark.parametrize(("n", "disagreement"), [(900, 0.01), (2000, 0.03), (3800, 0.06)])
def test_the_designs_n_give_eighty_percent(n, disagreement):
    assert claim_power(n, disagreement, 0.0, 0.01) == pytest.approx(0.8, abs=0.035)
    assert needed_n(disagreement, 0.0, 0.01) == pytest.approx(n, rel=0.1)


@pytest.mark.parametrize(
    ("n", "disagreement", "margin", "power"),
    [
        (500, 0.03, 0.01, 0.23), (1000, 0.03, 0.01, 0.32), (1821, 0.03, 0.01, 0.50), (1821, 0.06, 0.01, 0.34),
        (4500, 0.06, 0.01, 0.59), (1821, 0.03, 0.02, 0.99), (1821, 0.06, 0.02, 0.88),
    ],
)  # fmt: skip
def test_the_designs_table_of_power(n, disagreement, margin, power):
    assert claim_power(n, disagreement, 0.003, margin) == pytest.approx(power, abs=0.04)


def test_power_is_what_a_simulation_finds():
    n, psi, loss, margin = 700, 0.04, 0.002, 0.02
    rng = np.random.default_rng(5)
    counts = rng.multinomial(n, [(psi - loss) / 2, (psi + loss) / 2, 1 - psi], 40_000)
    z = tango_z(counts[:, 0], counts[:, 1], np.array(n), np.array(-margin))
    assert claim_power(n, psi, loss, margin) == pytest.approx((z >= exact_threshold(n, margin)).mean(), abs=0.01)


def test_too_few_samples_have_no_power_and_a_lost_cause_needs_no_number():
    assert claim_power(298, 0.0, 0.0, 0.01) == 0.0
    assert claim_power(299, 0.0, 0.0, 0.01) == 1.0
    assert needed_n(0.0, 0.0, 0.01) == 299
    assert needed_n(0.03, 0.01, 0.01) == 0
    assert rough_n(0.03, 0.02, 0.01) == 0


def test_the_tightest_margin_holds_its_power_and_a_tighter_one_does_not():
    margin = tightest_margin(2000, 0.03)
    assert margin == pytest.approx(0.0098, abs=0.0004)
    assert claim_power(2000, 0.03, 0.0, margin) >= 0.8
    assert claim_power(2000, 0.03, 0.0, margin * 0.96) < 0.8


def test_beyond_the_exact_sum_the_approximation_continues_it():
    assert claim_power(20_001, 0.06, 0.0, 0.004) == pytest.approx(claim_power(20_000, 0.06, 0.0, 0.004), abs=0.01)
    assert tightest_margin(80_000, 0.03) < tightest_margin(40_000, 0.03)


def test_an_impossible_case_is_refused():
    with pytest.raises(ValueError, match="no such case"):
        claim_power(1000, 0.01, 0.02, 0.01)
    with pytest.raises(ValueError, match="certify nothing"):
        tightest_margin(3, 0.03)
