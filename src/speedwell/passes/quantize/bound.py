"""Weights that keep the bound of sums in 16 bits: scales coarse enough that long runs of them fit.

A CPU with AVX2 and no dot product adds products of bytes in 16-bit lanes, four neighbouring columns (a quad) at a time,
two of them to each lane. A lane may go on for T quads while  high * sum |q| <= 65,535  over its 2 T weights, ``high``
the largest activation (native/runs.py plans these runs, and picks which quads share one). A row of weights can only be
cut into such runs if its mean load fits: so its scale is at least
    T * (mean load of a quad, larger lane) * high / (65,535 * FILL)
and the integers shrink with it. This is the L1 bound of accumulator-aware quantization (Colbert et al., A2Q, 2023),
reached by the scale instead of by training; the rounding that follows (rounding.py) makes up for part of the loss.
The planner may still take shorter runs, where those do without lane constants and so cost less.
"""

from __future__ import annotations

import numpy as np

__all__ = ["FILL", "WRAPS_16", "bound_scale", "output_db"]

WRAPS_16 = 65535
FILL = 0.82
"""How full the planner gets its runs on average, over the lanes of a panel."""


def bound_scale(rows: np.ndarray, levels: int, run: int) -> np.ndarray:
    """Least scale of each of ``rows`` [channels, columns] for runs of ``run`` quads, activations in 0..``levels``.

    float64 [channels]; a row that has fewer quads is asked for as many as it has.
    """
    count, columns = rows.shape
    quads = max(1, -(-columns // 4))
    padded = np.zeros((count, quads * 4))
    padded[:, :columns] = np.abs(rows)
    load = padded.reshape(count, quads, 2, 2).sum(-1).mean(1).max(-1)
    return np.asarray(load * min(run, quads) * (levels / (WRAPS_16 * FILL)))


def output_db(rows: np.ndarray, quantized: np.ndarray, scale: np.ndarray, moment: np.ndarray | None) -> float:
    """Signal over noise in dB of  rows x  against  scale * quantized x,  x of the second moment ``moment``.

    ``rows``, ``quantized`` [groups, rows, columns], ``scale`` [groups, rows], ``moment`` [groups, columns, columns];
    None stands for columns that are independent and alike. At most 999: JSON has no infinity.
    """
    lost = rows.astype(np.float64) - quantized * scale.astype(np.float64)[:, :, None]
    signal, noise = _power(rows.astype(np.float64), moment), _power(lost, moment)
    return float(min(10 * np.log10(max(signal, 1e-300) / max(noise, 1e-300)), 999.0))


def _power(rows: np.ndarray, moment: np.ndarray | None) -> float:
    return float(((rows if moment is None else rows @ moment) * rows).sum())
