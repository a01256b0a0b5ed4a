"""Tango's score test and interval for the difference of two paired proportions.

Tango, "Equivalence test and confidence interval for the difference in proportions for the paired-sample design",
Statistics in Medicine 17 (1998) 891-908. Per sample: n12 = candidate right and original wrong, n21 = the reverse.
Under p12 - p21 = lam the restricted estimate q of p21 solves a quadratic, and

    Z(lam) = (n12 - n21 - n lam) / sqrt(n (2q + lam (1 - lam))).
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

__all__ = ["tango_interval", "tango_lower", "tango_p", "tango_upper", "tango_z"]

_NORMAL = NormalDist()


def tango_z(n12: np.ndarray, n21: np.ndarray, n: np.ndarray, lam: np.ndarray) -> np.ndarray:
    """Z(lam), elementwise. It falls with lam and with n21 and rises with n12. 0 where the variance and the
    difference are both 0; infinite where only the variance is.
    """
    n12, n21, n, lam = (np.asarray(v, dtype=np.float64) for v in (n12, n21, n, lam))
    A = 2.0 * n
    B = -n12 - n21 + (2.0 * n - n12 + n21) * lam
    C = -n21 * lam * (1.0 - lam)
    root = np.sqrt(np.maximum(B * B - 4.0 * A * C, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):  # both forms are evaluated, the stable one is taken
        q = np.where(B > 0, -2.0 * C / (root + B), (root - B) / A / 2.0)
        top = n12 - n21 - n * lam
        variance = n * np.maximum(2.0 * q + lam * (1.0 - lam), 0.0)
        z = top / np.sqrt(variance)
    return np.where(np.abs(top) < 1e-12 * n, 0.0, z)


def tango_p(n12: int, n21: int, n: int, margin: float) -> float:
    """One-sided p-value of "candidate - original <= -margin" (``margin`` in 0..1)."""
    return _NORMAL.cdf(-float(tango_z(np.array(n12), np.array(n21), np.array(n), np.array(-margin))))


def tango_lower(n12: int, n21: int, n: int, alpha: float = 0.05) -> float:
    """One-sided lower bound on candidate - original, in -1..1: the lam at which Z = z(1 - alpha)."""
    return _invert(n12, n21, n, _NORMAL.inv_cdf(1.0 - alpha), -1.0, (n12 - n21) / n)


def tango_upper(n12: int, n21: int, n: int, alpha: float = 0.05) -> float:
    """One-sided upper bound on candidate - original."""
    return -tango_lower(n21, n12, n, alpha)


def tango_interval(n12: int, n21: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Two-sided interval. For (both right 1, n12 1, n21 7, both wrong 12): (-0.5172, -0.0260)."""
    alpha = (1.0 - level) / 2.0
    return tango_lower(n12, n21, n, alpha), tango_upper(n12, n21, n, alpha)


def _invert(n12: int, n21: int, n: int, z: float, low: float, high: float) -> float:
    if not (min(n12, n21) >= 0 and n12 + n21 <= n and n >= 1):
        raise ValueError(f"no such table: n12 {n12}, n21 {n21}, n {n}")
    for _ in range(60):
        middle = 0.5 * (low + high)
        above = float(tango_z(np.array(n12), np.array(n21), np.array(n), np.array(middle))) > z
        low, high = (middle, high) if above else (low, middle)
    return low
