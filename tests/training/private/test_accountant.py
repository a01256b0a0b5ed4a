from __future__ import annotations

import json
import math
import warnings

import pytest

from speedwell.core.errors import PrivacyError
from speedwell.core.record import decode, encode
from speedwell.training.private.accountant import (
    ORDERS,
    Spent,
    delta_for,
    epsilon_of,
    noise_for,
    pld_epsilon,
    rdp_epsilon,
)

CASES = [(1.0, 0.09, 240, 3e-4), (0.7, 0.02, 500, 1e-5), (4.0, 0.1, 1000, 1e-5), (2.0, 1.0, 20, 1e-5)]


@pytest.mark.parametrize("case", CASES)
def test_the_figure_is_the_larger_of_both_accountants_called_directly(case):
    import dp_accounting
    from dp_accounting.pld import PLDAccountant
    from opacus.accountants import RDPAccountant

    noise, rate, steps, delta = case
    opacus = RDPAccountant()
    for _ in range(steps):
        opacus.step(noise_multiplier=noise, sample_rate=rate)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Optimal order")
        rdp = opacus.get_epsilon(delta=delta, alphas=list(ORDERS))
        assert rdp <= opacus.get_epsilon(delta=delta) + 1e-12  # more orders can only be nearer
    google = PLDAccountant()
    google.compose(dp_accounting.PoissonSampledDpEvent(rate, dp_accounting.GaussianDpEvent(noise)), steps)
    pld = google.get_epsilon(delta)
    assert rdp_epsilon(*case) == pytest.approx(rdp, rel=1e-12)
    assert pld_epsilon(*case) == pld
    assert epsilon_of(*case) == max(rdp, pld)


def test_without_sampling_it_is_the_gaussian_mechanism():
    """Balle and Wang 2018 (arXiv:1805.06530): delta(epsilon) in closed form; k steps are one of noise / sqrt(k)."""
    from scipy.stats import norm

    noise, steps, delta = 5.0, 16, 1e-5
    mu = math.sqrt(steps) / noise

    def exact(epsilon: float) -> float:
        return norm.cdf(mu / 2 - epsilon / mu) - math.exp(epsilon) * norm.cdf(-mu / 2 - epsilon / mu)

    found = pld_epsilon(noise, 1.0, steps, delta)
    assert exact(found) <= delta
    assert exact(found - 0.01) > delta
    assert exact(rdp_epsilon(noise, 1.0, steps, delta)) <= delta


@pytest.mark.parametrize("count", [rdp_epsilon, pld_epsilon])
def test_more_steps_a_higher_rate_less_noise_or_delta_cost_more(count):
    base = count(1.0, 0.05, 100, 1e-5)
    assert base < count(1.0, 0.05, 200, 1e-5)
    assert base < count(1.0, 0.10, 100, 1e-5)
    assert base < count(0.8, 0.05, 100, 1e-5)
    assert base < count(1.0, 0.05, 100, 1e-7)


@pytest.mark.parametrize(("target", "rate", "steps"), [(8.0, 0.09, 240), (1.0, 0.02, 300), (0.05, 0.01, 50)])
def test_the_noise_for_an_epsilon_is_enough_and_hardly_more(target, rate, steps):
    noise = noise_for(target, 1e-4, rate, steps)
    assert epsilon_of(noise, rate, steps, 1e-4) <= target
    assert epsilon_of(noise * 0.99, rate, steps, 1e-4) > target


def test_an_epsilon_that_no_noise_gives_is_refused():
    with pytest.raises(PrivacyError, match="no noise below"):
        noise_for(1e-4, 1e-5, 0.1, 100)


def test_delta_is_below_one_in_n_by_a_margin_that_grows():
    assert delta_for(1437) == pytest.approx(1437**-1.1)
    assert delta_for(1_000_000) * 1_000_000 < delta_for(1000) * 1000 < 0.51
    assert delta_for(1000, 1e-6) == 1e-6
    with pytest.raises(PrivacyError, match="publishing one of them"):
        delta_for(1000, 0.001)
    with pytest.raises(PrivacyError, match="more samples"):
        delta_for(1)


def test_what_was_spent_survives_its_file():
    spent = Spent(1.5, 1e-5, 1000, 1.5, 1.2, 1.0, 1.0, 0.1, 100, 990, 3, True, ("one sample", "public"))
    assert decode(Spent, json.loads(json.dumps(encode(spent)))) == spent
