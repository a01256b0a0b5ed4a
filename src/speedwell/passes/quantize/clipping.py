"""From a tensor's distribution to the range that its steps cover: min-max, percentile or least squared error."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from .histogram import Histogram

__all__ = ["LEVELS", "METHODS", "minmax", "mse", "percentile", "steps"]

LEVELS = 255
"""Of 8 bits; 7 bits have 127."""
FRACTIONS = np.linspace(1.0, 0.05, 96)
"""Shares of the full range tried by ``mse``, per side."""


def minmax(histogram: Histogram, percent: float, levels: int = LEVELS) -> tuple[float, float]:  # noqa: ARG001 - one signature for all
    """The whole range."""
    return histogram.low, histogram.high


def percentile(histogram: Histogram, percent: float, levels: int = LEVELS) -> tuple[float, float]:  # noqa: ARG001 - as above
    """Cut (100 - ``percent``) % of the values from each side that reaches beyond zero."""
    share = percent / 100
    low = min(0.0, histogram.quantile(1 - share)) if histogram.low < 0 else histogram.low
    high = max(0.0, histogram.quantile(share)) if histogram.high > 0 else histogram.high
    return (low, high) if high > low else (histogram.low, histogram.high)


def mse(histogram: Histogram, percent: float, levels: int = LEVELS) -> tuple[float, float]:  # noqa: ARG001 - as above
    """The range with the least squared error of quantizing: both sides cut alike, then each on its own.

    Error = clipping of what lies outside, squared, plus step^2 / 12 for what lies inside (uniform within a step).
    """
    low, high = min(0.0, histogram.low), max(0.0, histogram.high)
    centers, counts = histogram.centers, histogram.counts.astype(np.float64)
    best = _least(centers, counts, levels, FRACTIONS * low, FRACTIONS * high)
    best = _least(centers, counts, levels, np.full(len(FRACTIONS), best[0]), FRACTIONS * high, best)
    return _least(centers, counts, levels, FRACTIONS * low, np.full(len(FRACTIONS), best[1]), best)


def _least(
    centers: np.ndarray,
    counts: np.ndarray,
    levels: int,
    lows: np.ndarray,
    highs: np.ndarray,
    known: tuple[float, float] | None = None,
) -> tuple[float, float]:
    if known is not None:
        lows, highs = np.append(lows, known[0]), np.append(highs, known[1])
    below = np.minimum(centers[None] - lows[:, None], 0)
    above = np.maximum(centers[None] - highs[:, None], 0)
    inside = (below == 0) & (above == 0)
    # zero is represented exactly, and after a Relu it is most of the tensor
    half_bin = (centers[1] - centers[0]) / 2
    rounding = inside & (np.abs(centers) > half_bin)[None]
    step = ((highs - lows) / levels)[:, None]
    error = (counts * (below**2 + above**2 + rounding * step**2 / 12)).sum(1)
    i = int(np.argmin(error))
    return float(lows[i]), float(highs[i])


def steps(low: float, high: float, levels: int = LEVELS) -> tuple[np.float32, np.uint8]:
    """Scale and zero point of 0..``levels`` over [low, high], widened to hold zero, which is exact.

    A range of nothing but zero gets scale 1.
    """
    low, high = min(0.0, low), max(0.0, high)
    scale = np.float32((high - low) / levels)
    if not scale >= np.finfo(np.float32).tiny:
        return np.float32(1), np.uint8(0)
    return scale, np.uint8(np.clip(round(-low / float(scale)), 0, levels))


METHODS: Mapping[str, Callable[[Histogram, float, int], tuple[float, float]]] = {
    "mse": mse,
    "percentile": percentile,
    "minmax": minmax,
}
