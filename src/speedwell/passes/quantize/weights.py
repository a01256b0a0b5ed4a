"""Symmetric quantization of constant weights, one scale per output channel."""

from __future__ import annotations

import numpy as np

__all__ = ["LARGEST_BIAS", "least_scale", "quantize_weight"]

LARGEST_BIAS = 2.0**30
"""In steps of its own scale; a channel whose bias would need more gets a coarser weight scale."""


def least_scale(bias: np.ndarray, input_scale: float) -> np.ndarray:
    """The weight scales [channels] below which ``bias`` would not fit into its 32 bits, with room to spare."""
    return np.abs(bias.astype(np.float64)) / (input_scale * LARGEST_BIAS)


def quantize_weight(
    weight: np.ndarray, axis: int, bits: int, least_scale: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """int8 of ``weight``'s shape and float32 scales [channels]: weight ~ q * scale along ``axis``.

    ``bits`` 8 gives -127..127, 7 gives -63..63 (two products then fit in the 16 bits that older CPUs add them in).
    A channel of zeros gets scale 1. ``least_scale`` [channels] raises scales that would be smaller.
    """
    if bits not in (7, 8):
        raise ValueError(f"weights have 7 or 8 bits, got {bits}")
    top = 2 ** (bits - 1) - 1
    others = tuple(i for i in range(weight.ndim) if i != axis)
    largest = np.abs(weight).max(axis=others).astype(np.float64)
    scale = np.where(largest > 0, largest / top, 1.0)
    if least_scale is not None:
        scale = np.maximum(scale, least_scale)
    # below the smallest normal float32 a scale would lose its digits
    scale = np.maximum(scale, np.finfo(np.float32).tiny).astype(np.float32)
    along = scale.reshape([-1 if i == axis else 1 for i in range(weight.ndim)])
    return np.clip(np.rint(weight / along), -top, top).astype(np.int8), scale
