"""The int8 attention kernel's definition (csrc/attention/int8.h) in numpy: integers, and floats rounded each time."""

from __future__ import annotations

import numpy as np

Array = np.ndarray

REACH = 63
FORBIDS = np.float32(-1e30)
TINY = np.float32(1.17549435e-38)
LOG2E = np.float32(1.44269504)
SHARE = [np.float32(c) for c in (2.55000000e02, 1.76787140e02, 6.17637939e01, 1.40272770e01)]


def steps(x: Array, reach: int) -> tuple[Array, Array]:
    """Size and inverse of the steps along the last axis; NaN and 0 where an element is not finite."""
    most = np.abs(x).max(axis=-1, initial=0.0)
    finite = np.isfinite(x).all(axis=-1)
    size = np.where(finite, most, np.float32(0)).astype(np.float32) * (np.float32(1) / np.float32(reach))
    usable = size >= TINY
    inverse = np.where(usable, np.float32(reach) / np.where(usable, most, np.float32(1)), np.float32(0))
    size = np.where(finite, np.where(usable, size, np.float32(1)), np.float32(np.nan))
    return size.astype(np.float32), inverse.astype(np.float32)


def levels(x: Array, inverse: Array, reach: int) -> Array:
    """int64 in [-reach, reach]; what the level of NaN is does not matter."""
    scaled = np.nan_to_num(x * inverse, nan=0.0, posinf=reach, neginf=-reach)
    return np.rint(np.clip(scaled, -reach, reach)).astype(np.int64)


def shares(t: Array) -> Array:
    """255 * 2^t in 0..255 for t <= 0."""
    t = np.maximum(t, np.float32(-20))
    whole = np.rint(t)
    f = t - whole
    p = SHARE[3]
    for c in SHARE[2::-1]:
        p = p * f + c  # numpy rounds the product first, as the kernel does
    return np.rint(np.ldexp(p, whole.astype(np.int32))).astype(np.int64)


def one_head(
    q: Array, k: Array, v: Array, mask: Array | None, shown: Array | None, scale: np.float32, zeros: bool
) -> Array:
    """[rows, d] of q [rows, d], k and v [keys, d], mask [rows, keys]. ``shown``: keys that count for v's steps."""
    if not len(k):
        return np.zeros_like(q)
    q_step, q_inverse = steps(q, 127)
    counted = np.ones(len(k), bool) if shown is None else shown
    k_step, k_inverse = steps(k, REACH)
    half = np.float32(0.5)
    finite = np.isfinite(v[counted]).all(axis=0)
    middle = np.where(finite, v[counted].min(axis=0) * half + v[counted].max(axis=0) * half, np.float32(0))
    v = v - middle
    v_step, v_inverse = steps(v[counted].T, REACH)
    sums = levels(q, q_inverse[:, None], 127) @ levels(k, k_inverse[:, None], REACH).T
    factor = q_step * (scale * LOG2E if mask is None else scale)
    score = sums.astype(np.float32) * k_step * factor[:, None]
    if mask is not None:
        score = score + mask
    top = score.max(axis=-1)  # NaN where any is
    counts = np.isfinite(top) & np.isfinite(factor)
    t = np.where(counts[:, None], score, np.float32(0)) - np.where(counts, top, np.float32(0))[:, None]
    share = np.where(counts[:, None], shares(t if mask is None else t * LOG2E), 0)
    whole = share.sum(axis=-1).astype(np.float32)
    nothing = zeros & np.isneginf(top) & np.isfinite(factor)
    factor = np.where(nothing, np.float32(0), np.float32(np.nan))
    factor = np.where(counts, np.float32(1) / np.where(counts, whole, np.float32(1)), factor).astype(np.float32)
    found = (share @ levels(v.T, v_inverse[:, None], REACH).T).astype(np.float32)
    return np.asarray(
        found * (v_step * factor[:, None]) + np.where(nothing, np.float32(0), np.float32(1))[:, None] * middle
    )


def attention_int8(
    q: Array, k: Array, v: Array, mask: Array | None, heads: int, scale: float, zeros: bool = False
) -> Array:
    """[B, Sq, heads * d] for q [B, Sq, heads * d] and k and v [B, Sk, heads * d], bit for bit."""
    batch, rows, width = q.shape
    keys, d = k.shape[1], width // heads
    whole = None if mask is None else np.broadcast_to(mask, (batch, heads, rows, keys)).astype(np.float32)
    out = np.empty_like(q)
    with np.errstate(all="ignore"):
        for b in range(batch):
            for head in range(heads):
                at = slice(head * d, (head + 1) * d)
                added = None if whole is None else whole[b, head]
                shown = None
                if added is not None and mask is not None and (mask.ndim < 2 or mask.shape[-2] == 1):
                    shown = added[0] > FORBIDS
                    shown = shown if shown.any() else None
                operands = (x[b, :, at] for x in (q, k, v))
                out[b, :, at] = one_head(*operands, added, shown, np.float32(scale), zeros)
    return out
