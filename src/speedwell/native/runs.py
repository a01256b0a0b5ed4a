"""Which quads of a panel are added together in 16 bits, and how many before they are widened to 32.

A CPU with AVX2 and no VNNI adds products of bytes in 16-bit lanes. The more quads (four neighbouring activations) a
run holds, the rarer the costly widening, as long as no lane can leave 16 bits. With activations in [0, high] a lane is
safe as it is while high * max(sum w+, sum|w-|) <= 32,767, and with a constant that centres its interval while
high * sum|w| <= 65,535 (csrc/gemm/runs.h proves it again). Which quads share a run is free, so this packs bins: the
hardest quad that is left opens a run, then those join that leave the most room. Each panel is packed under both rules
and takes what costs less: centred runs are longer, and each costs more. Related: FBGEMM's 16-bit accumulation with
outlier splitting; accumulator-aware quantization (Colbert et al., A2Q, 2023).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["PANEL", "Runs", "plan_runs"]

PANEL = 16
"""Columns of a panel, as the executor packs them."""
LANES = 2 * PANEL
LONGEST = 64
FITS_16 = 32767
WRAPS_16 = 65535
A_QUAD, A_RUN, CENTRING = 9.3, 5.5, 4.3
"""Cycles that six rows of a panel take (Golden Cove, least of 200 times). Only ratios count: normal weights, 384 deep,
8-bit activations: 4.0 quads a run as they are, 5.5 centred, and the former is faster.
"""


@dataclass(frozen=True)
class Runs:
    """``order``: int32 [panels, quads], a permutation in each row. ``lengths``: int32 [panels, most runs], zeros after
    the last run; the runs follow ``order``.
    """

    order: np.ndarray
    lengths: np.ndarray

    @property
    def mean(self) -> float:
        """Quads per widening, over all panels."""
        return self.order.size / max(1, int((self.lengths > 0).sum()))

    def shares(self) -> dict[int, float]:
        """Share of the multiply-adds that run at each length."""
        lengths, counts = np.unique(self.lengths[self.lengths > 0], return_counts=True)
        whole = max(1, self.order.size)
        return {int(n): float(n * c / whole) for n, c in zip(lengths, counts, strict=True)}


def plan_runs(weight: np.ndarray, high: int) -> Runs | None:
    """Runs for an int8 weight [N, K] and activations in [0, ``high``], 1..255.

    None where two neighbouring products alone can leave 16 bits: the instruction itself would saturate.
    """
    quads = _quads(weight)
    if _pair_reach(quads) * high > FITS_16:
        return None
    up, down = np.maximum(quads, 0).sum(-1, np.int32), np.maximum(-quads, 0).sum(-1, np.int32)
    plain = _packed(np.concatenate([up, down], -1), FITS_16 // high)
    centred = _packed(up + down, WRAPS_16 // high)
    cheaper = (_cost(*centred, up, down, high) < _cost(*plain, up, down, high))[:, None]
    order, opens = (np.where(cheaper, c, p) for c, p in zip(centred, plain, strict=True))
    return _sorted(order, opens, up, down, high)


def _packed(load: np.ndarray, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """Quads in the order in which runs take them, and where a run begins, both [panels, quads], for loads
    [panels, quads, any] whose sums over a run may not pass the limit.
    """
    panels, count = load.shape[:2]
    hardest = load.max(-1)
    order = np.zeros((panels, count), np.int32)
    opens = np.zeros((panels, count), bool)
    free = np.ones((panels, count), bool)
    lane = np.zeros((panels, load.shape[2]), np.int32)
    length = np.zeros(panels, np.int32)
    every = np.arange(panels)
    for step in range(count):
        after = (lane[:, None, :] + load).max(-1)
        fits = free & (after <= limit) & (length < LONGEST)[:, None]
        joins = fits.any(1) & (length > 0)
        # Of what fits, the quad that raises the fullest lane least. On MiniLM, centred: 5.6 quads a run; filling each
        # run as full as it goes (best fit) 4.1; least sum of squares 5.4; powers of 8 and more 5.6, at twice the time.
        best = np.where(fits, after, limit + 1).argmin(1)
        first = np.where(free, hardest, -1).argmax(1)
        chosen = np.where(joins, best, first)
        lane = np.where(joins[:, None], lane, 0) + load[every, chosen]
        length = np.where(joins, length, 0) + 1
        order[:, step] = chosen
        opens[:, step] = ~joins
        free[every, chosen] = False
    return order, opens


def _cost(order: np.ndarray, opens: np.ndarray, up: np.ndarray, down: np.ndarray, high: int) -> np.ndarray:
    """Cycles of each panel, [panels]."""
    cost = np.empty(len(order))
    for panel, (row, starts) in enumerate(zip(order, opens, strict=True)):
        begins = np.flatnonzero(starts)
        centred = _centred(up[panel][row], down[panel][row], begins, high)
        cost[panel] = A_QUAD * len(row) + A_RUN * len(begins) + CENTRING * centred.sum()
    return cost


def _centred(up: np.ndarray, down: np.ndarray, begins: np.ndarray, high: int) -> np.ndarray:
    """Which runs need lane constants, from the loads [quads, lanes] in their order and where each run begins."""
    if not len(begins):
        return np.zeros(0, bool)
    reach = np.maximum(np.add.reduceat(up, begins), np.add.reduceat(down, begins)).max(-1)
    found: np.ndarray = high * reach > FITS_16
    return found


def _quads(weight: np.ndarray) -> np.ndarray:
    """[N, K] as [panels, quads, lanes, 2], padded with zeros. Lane 2j + i: column j, products 2i and 2i + 1."""
    n, k = weight.shape
    padded = np.zeros((-(-n // PANEL) * PANEL, -(-k // 4) * 4), np.int32)
    padded[:n, :k] = weight
    blocks = padded.reshape(-1, PANEL, padded.shape[1] // 4, 2, 2)
    return blocks.transpose(0, 2, 1, 3, 4).reshape(blocks.shape[0], -1, LANES, 2)


def _pair_reach(quads: np.ndarray) -> int:
    """Largest sum of one sign that two neighbouring weights have."""
    if not quads.size:
        return 0
    return int(max(np.maximum(quads, 0).sum(-1).max(), np.maximum(-quads, 0).sum(-1).max()))


def _sorted(order: np.ndarray, opens: np.ndarray, up: np.ndarray, down: np.ndarray, high: int) -> Runs:
    """Runs of one kind side by side (long before short, plain before centred), so that the executor changes seldom."""
    orders, lengths = np.empty_like(order), np.zeros((len(order), int(opens.sum(1).max(initial=0))), np.int32)
    for panel, (row, starts) in enumerate(zip(order, opens, strict=True)):
        begins = np.flatnonzero(starts)
        ends = np.append(begins[1:], len(row))
        ranked = np.lexsort((_centred(up[panel][row], down[panel][row], begins, high), begins - ends))
        orders[panel] = np.concatenate([row[begins[r] : ends[r]] for r in ranked])
        lengths[panel, : len(ranked)] = (ends - begins)[ranked]
    return Runs(orders, lengths)
