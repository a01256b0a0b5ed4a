"""The distribution of one tensor over the calibration data, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

__all__ = ["BINS", "Histogram"]

BINS = 2048


@dataclass(eq=False)
class Histogram:
    """Counts in ``BINS`` equal bins over [low, high], which must be the tensor's range (from a first pass)."""

    low: float
    high: float
    counts: np.ndarray = field(default_factory=lambda: np.zeros(BINS, np.int64))

    def add(self, values: np.ndarray) -> None:
        """Count ``values``; a flat tensor (low == high) is all in the first bin."""
        if self.high <= self.low:
            self.counts[0] += values.size
            return
        place = (values.reshape(-1).astype(np.float64) - self.low) * (BINS / (self.high - self.low))
        self.counts += np.bincount(np.clip(place, 0, BINS - 1).astype(np.int64), minlength=BINS)

    @property
    def centers(self) -> np.ndarray:
        """float64 [BINS]."""
        width = (self.high - self.low) / BINS
        return self.low + width * (np.arange(BINS) + 0.5)

    def quantile(self, share: float) -> float:
        """The value below which ``share`` (0..1) of the tensor lies, to within a bin, interpolated."""
        total = int(self.counts.sum())
        if not total:
            return self.low
        edges = np.linspace(self.low, self.high, BINS + 1)
        return float(np.interp(share * total, np.concatenate(([0], np.cumsum(self.counts))), edges))
