"""Constant weights as the products read them: [N, K], rows of output columns."""

from __future__ import annotations

import numpy as np

from .graph import Value, is_kind

__all__ = ["integer_weight", "quantized_weight"]


def quantized_weight(value: Value, out_axis: int) -> tuple[np.ndarray, np.ndarray] | None:
    """int8 [N, K] and float32 scales [N] of a 2-D weight that DequantizeLinear makes from constants.

    None unless it is symmetric, with one scale for all or one for each output column.
    """
    maker = value.maker
    if is_kind(maker, "Transpose") and maker is not None and maker.inputs[0] is not None:
        if list(maker.attributes.get("perm", (1, 0))) != [1, 0]:
            return None
        return quantized_weight(maker.inputs[0], 1 - out_axis)
    if not is_kind(maker, "DequantizeLinear") or maker is None or maker.attributes.get("block_size", 0):
        return None
    integers, scale, zero = (v.array if v is not None else None for v in (maker.input(i) for i in range(3)))
    if integers is None or scale is None or (maker.input(2) is not None and zero is None) or integers.ndim != 2:
        return None
    if scale.size > 1 and maker.attributes.get("axis", 1) % 2 != out_axis:
        return None
    weight = integer_weight(integers, zero, out_axis)
    columns = integers.shape[out_axis]
    if weight is None or scale.dtype != np.float32 or scale.size not in (1, columns):
        return None
    return weight, np.broadcast_to(scale.reshape(-1), (columns,)).astype(np.float32)


def integer_weight(array: np.ndarray, zero: np.ndarray | None, out_axis: int) -> np.ndarray | None:
    """int8 [N, K] of int8 with zero point 0 or of uint8 with zero point 128; None for an asymmetric weight."""
    if array.ndim != 2 or array.dtype not in (np.int8, np.uint8):
        return None
    middle = 0 if array.dtype == np.int8 else 128
    if (zero is None and middle) or (zero is not None and (zero != middle).any()):
        return None
    signed = array if array.dtype == np.int8 else (array ^ np.uint8(128)).view(np.int8)
    return np.ascontiguousarray(signed if out_axis == 0 else signed.T)
