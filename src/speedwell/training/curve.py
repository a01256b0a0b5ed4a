"""The learning curve: how the error falls with more data, and what twice the data would bring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core.errors import UsageError

__all__ = ["SHARES", "LearningCurve", "fit_curve"]

SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
LEAST_POINTS = 3
RESAMPLES = 400
EXPONENTS = np.linspace(0.05, 1.5, 59)
FLOORS = 41


@dataclass(frozen=True)
class LearningCurve:
    """``sizes`` and ``errors`` (0..1) as measured, on ``judged`` samples each. ``fitted``: the curve at ``sizes``.
    ``doubled``: the error to expect with twice the data, ``low`` to ``high`` its 95 % interval. ``exponent``: how
    steeply it falls (0.5: four times the data halve what can still be learnt).
    """

    sizes: tuple[int, ...]
    errors: tuple[float, ...]
    judged: int
    fitted: tuple[float, ...]
    exponent: float
    floor: float
    doubled: float
    low: float
    high: float

    @property
    def text(self) -> str:
        """In a sentence."""
        n, now = self.sizes[-1], 100 * self.errors[-1]
        gain = now - 100 * self.doubled
        sure = f"95 % sure: {100 * self.low:.1f} to {100 * self.high:.1f} %"
        then = f"{2 * n:,} would give about {100 * self.doubled:.1f} % ({sure})"
        told = f"{n:,} samples gave an error of {now:.1f} %; {then}"
        if self.low <= self.errors[-1] <= self.high:
            return f"{told}: whether more data would help cannot be told from {self.judged:,} judged samples."
        return f"{told}: {abs(gain):.1f} points {'fewer' if gain > 0 else 'more'}."


def fit_curve(sizes: Sequence[int], errors: Sequence[float], judged: int, seed: int = 0) -> LearningCurve:
    """Fit error(n) = floor + scale * n^-exponent (Hestness et al. 2017, arXiv:1712.00409, equation 1), floor and scale
    >= 0, by least squares weighted with the errors' own variance, and say what 2 n gives.

    The interval is from ``RESAMPLES`` refits to errors drawn anew around the fit: from the binomial distribution of
    ``judged`` samples, widened by what the fit itself misses (other seeds, other subsets). Raises ``UsageError`` for
    fewer than ``LEAST_POINTS`` sizes, equal ones, or errors outside 0..1.
    """
    n, e = np.asarray(sizes, np.float64), np.asarray(errors, np.float64)
    if len(n) < LEAST_POINTS or len(n) != len(e) or len(set(sizes)) < len(n) or n.min() < 1 or judged < 1:
        raise UsageError(
            f"{len(n)} sizes and {len(e)} errors on {judged} samples", f"Give at least {LEAST_POINTS} different sizes."
        )
    if not ((e >= 0) & (e <= 1)).all():
        raise UsageError(f"the errors are {list(errors)}", "An error is a share, from 0 to 1.")
    noise = np.sqrt(np.maximum(e * (1 - e), 1 / judged) / judged)
    fitted, doubled, exponent, floor = _best(n, e, noise)
    missed = np.sqrt(np.mean(((e - fitted) / noise) ** 2) * len(n) / max(1, len(n) - LEAST_POINTS))
    spread = noise * max(1.0, missed)
    rng = np.random.default_rng(seed)
    drawn = np.clip(fitted + spread * rng.standard_normal((RESAMPLES, len(n))), 0, 1)
    futures = np.array([_best(n, one, noise)[1] for one in drawn])
    low, high = np.quantile(futures, [0.025, 0.975])
    return LearningCurve(
        tuple(int(s) for s in sizes),
        tuple(float(v) for v in errors),
        judged,
        tuple(float(v) for v in fitted),
        exponent,
        floor,
        float(doubled),
        float(min(low, doubled)),
        float(max(high, doubled)),
    )


def _best(n: np.ndarray, e: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, float, float, float]:
    """(the fit at ``n``, at twice the last, exponent, floor): the scale in closed form, the two others on a grid."""
    floors = np.linspace(0, max(e.min(), 1e-9), FLOORS)
    shape = n[None] ** -EXPONENTS[:, None]  # [exponent, size]
    weight = 1 / noise**2
    left = e[None, :] - floors[:, None]  # [floor, size]
    scale = np.maximum(0, np.einsum("fs,xs,s->xf", left, shape, weight) / (weight * shape**2).sum(1)[:, None])
    missed = ((left[None] - scale[..., None] * shape[:, None]) ** 2 * weight).sum(-1)
    x, f = np.unravel_index(int(missed.argmin()), missed.shape)
    made = floors[f] + scale[x, f] * shape[x]
    future = floors[f] + scale[x, f] * (2 * n[-1]) ** -EXPONENTS[x]
    return made, float(future), float(EXPONENTS[x]), float(floors[f])
