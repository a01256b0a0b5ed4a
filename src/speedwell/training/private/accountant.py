"""What a private training spends: epsilon by two accountants that are written independently, and the noise for it.

Both bound the same thing, the Poisson-subsampled Gaussian mechanism composed over the steps, for neighbours that differ
by one sample more or less: Opacus by Renyi divergences (Mironov et al. 2019, arXiv:1908.10530), dp-accounting by the
distribution of the privacy loss (Doroshenko et al. 2022, arXiv:2207.04380). The larger figure is reported, so a fault
in either can only cost noise, never privacy.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ...core.errors import PrivacyError
from ...core.extras import try_import

__all__ = ["ORDERS", "Spent", "delta_for", "epsilon_of", "noise_for", "pld_epsilon", "rdp_epsilon"]

ORDERS = (*(1 + x / 10 for x in range(1, 100)), *range(12, 64), 80, 96, 128, 192, 256, 384, 512)
"""Opacus's own orders and seven above them: without those no epsilon below 0.1 can be shown at delta 1e-5."""
PRECISION = 1e-3
"""Of the noise that is solved for, relative."""
MOST_NOISE = 1e4


@dataclass(frozen=True)
class Spent:
    """The guarantee of a training: (``epsilon``, ``delta``) for each of ``samples`` training samples.

    ``epsilon`` is the larger of ``rdp`` (Opacus) and ``pld`` (dp-accounting), after ``steps`` planned steps with
    ``noise`` (standard deviation over ``max_grad_norm``), each sample drawn with probability ``rate``. ``steps`` are
    those planned: where a training ends sooner, the moment is itself a result, and nothing is given back for it.
    Of ``drawn`` gradients ``left_out`` were not finite and counted as zero. ``secure``: the noise came from a secret
    key. ``assumed``: what the guarantee rests on, in words. ``left_out`` comes from the data without noise: it is for
    the owner of the data, not for others.
    """

    epsilon: float
    delta: float
    samples: int
    rdp: float
    pld: float
    noise: float
    max_grad_norm: float
    rate: float
    steps: int
    drawn: int
    left_out: int
    secure: bool
    assumed: tuple[str, ...] = ()


def delta_for(samples: int, wanted: float = 0.0) -> float:
    """``wanted``, or n^-1.1 where it is 0. Raises ``PrivacyError`` for one of 1/n or more.

    Publishing one sample chosen at random satisfies delta = 1/n, so delta has to be smaller by a margin that grows
    with n, as n^-1.1 is (Ponomareva et al. 2023, arXiv:2303.00654): 8e-6 of 42,000 samples.
    """
    delta = wanted or samples**-1.1
    if delta * samples >= 1:
        raise PrivacyError(
            f"privacy.delta is {delta:g} with {samples:,} samples: publishing one of them as it is would satisfy that",
            f"Give less than {1 / samples:.2g}, or leave it out for {samples**-1.1:.2g}."
            if samples > 1
            else "Give more samples.",
        )
    return delta


def epsilon_of(noise: float, rate: float, steps: int, delta: float) -> float:
    """The larger of both figures; infinite without noise."""
    return max(rdp_epsilon(noise, rate, steps, delta), pld_epsilon(noise, rate, steps, delta))


@lru_cache(maxsize=256)
def rdp_epsilon(noise: float, rate: float, steps: int, delta: float) -> float:
    """By Opacus's accountant over ``ORDERS``."""
    accountants: Any = try_import("opacus.accountants")
    accountant = accountants.RDPAccountant()
    accountant.history = [(noise, rate, steps)]
    with warnings.catch_warnings():
        # the best order is the first or the last one: the figure is a bound all the same, only a looser one
        warnings.filterwarnings("ignore", "Optimal order is the", UserWarning)
        return float(accountant.get_epsilon(delta=delta, alphas=list(ORDERS)))


@lru_cache(maxsize=256)
def pld_epsilon(noise: float, rate: float, steps: int, delta: float) -> float:
    """By dp-accounting's accountant, whose figure is an upper estimate."""
    dp: Any = try_import("dp_accounting")
    pld: Any = try_import("dp_accounting.pld")
    accountant = pld.PLDAccountant(dp.NeighboringRelation.ADD_OR_REMOVE_ONE)
    accountant.compose(dp.PoissonSampledDpEvent(rate, dp.GaussianDpEvent(noise)), steps)
    return float(accountant.get_epsilon(delta))


@lru_cache(maxsize=64)
def noise_for(epsilon: float, delta: float, rate: float, steps: int) -> float:
    """The least noise (to a thousandth) of which both accountants say at most ``epsilon`` after ``steps``.

    Raises ``PrivacyError`` where no noise does.
    """
    low, high = 0.0, 0.5
    while rdp_epsilon(high, rate, steps, delta) > epsilon:
        low, high = high, 2 * high
        if high > MOST_NOISE:
            raise PrivacyError(
                f"no noise below {MOST_NOISE:g} gives epsilon {epsilon:g} at delta {delta:.2g} in {steps:,} steps",
                "Give a larger privacy.epsilon, or train for fewer epochs.",
            )
    while high - low > PRECISION * high:
        middle = (low + high) / 2
        # one accountant is enough for the search: it is the slower one's figure that is nearly always the smaller
        low, high = (middle, high) if rdp_epsilon(middle, rate, steps, delta) > epsilon else (low, middle)
        if high < 0.01:
            break
    while (found := epsilon_of(high, rate, steps, delta)) > epsilon:
        if not math.isfinite(found) or high > MOST_NOISE:
            raise PrivacyError(f"the accountants disagree beyond repair at noise {high:g}", "Give privacy.noise.")
        high *= 1 + PRECISION
    return high
