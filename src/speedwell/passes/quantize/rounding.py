"""Round a weight matrix so that the errors cancel on the inputs that occur (Frantar et al. 2022, GPTQ; OBQ before it).

One column after the other is rounded, and what was rounded away is made up for by the columns not rounded yet:
    least over Q of  E |(W - s Q) x|^2 = sum over rows of d H d',   H = E x x',  d = a row of W - s Q
With U upper triangular, U' U = H^-1, column j's error e = (w_j - s q_j) / U_jj moves the later columns by -e U_j,j+1:.
"""

from __future__ import annotations

import numpy as np

__all__ = ["DAMPING", "round_compensated"]

DAMPING = 0.01
"""Share of the mean diagonal that is added to H's: inputs that hardly vary in the sample may vary elsewhere."""
BLOCK = 64
"""Columns between two updates of all later columns: the same numbers by a few large products."""


def round_compensated(weight: np.ndarray, scale: np.ndarray, moment: np.ndarray, top: int) -> np.ndarray:
    """Integers (float64) in -top..top of ``weight``'s shape [groups, rows, columns].

    ``scale`` [groups, rows] > 0; ``moment`` [groups, columns, columns]: H, symmetric and positive semidefinite. All
    zeros gives plain rounding.
    """
    columns = weight.shape[2]
    diagonal = np.diagonal(moment, axis1=1, axis2=2)
    level = diagonal.mean(axis=1)
    damping = np.where(level > 0, DAMPING * level, 1.0)
    # the columns that matter most first: the later ones then still make up for them
    order = np.argsort(-diagonal, axis=1, kind="stable")
    left = np.take_along_axis(weight.astype(np.float64), order[:, None, :], axis=2)
    sorted_moment = np.take_along_axis(np.take_along_axis(moment, order[:, :, None], axis=1), order[:, None, :], axis=2)
    sorted_moment = sorted_moment + damping[:, None, None] * np.eye(columns)
    upper = np.linalg.cholesky(np.linalg.inv(sorted_moment)).transpose(0, 2, 1)
    rounded = np.empty_like(left)
    step = scale.astype(np.float64)
    for start in range(0, columns, BLOCK):
        stop = min(start + BLOCK, columns)
        errors = np.empty((*left.shape[:2], stop - start))
        for j in range(start, stop):
            rounded[:, :, j] = np.clip(np.rint(left[:, :, j] / step), -top, top)
            error = (left[:, :, j] - rounded[:, :, j] * step) / upper[:, j, j, None]
            left[:, :, j + 1 : stop] -= error[:, :, None] * upper[:, None, j, j + 1 : stop]
            errors[:, :, j - start] = error
        left[:, :, stop:] -= errors @ upper[:, start:stop, stop:]
    result = np.empty_like(rounded)
    np.put_along_axis(result, np.broadcast_to(order[:, None, :], rounded.shape), rounded, axis=2)
    return result
