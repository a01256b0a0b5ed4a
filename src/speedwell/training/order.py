"""Which samples make which batch: a function of the seed and the epoch alone, so that a resumed run needs no state."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["epoch_batches", "rank_share", "sample_rng", "step_seed"]

WINDOW = 64
"""Batches within which samples are sorted by length: enough that a batch's texts are nearly of one length, few enough
that an epoch's order is still random.
"""


def sample_rng(seed: int, *place: int) -> np.random.Generator:
    """The generator of one place (epoch, batch, ...): any place is reached without the ones before it."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, *place])))


def step_seed(seeds: Sequence[int], *place: int) -> int:
    """What a step's generators are seeded with, 0 to 2^63 - 1: a function of the seeds and the place alone."""
    return int(np.random.SeedSequence([*seeds, 1, *place]).generate_state(1, np.uint64)[0]) % (1 << 63)


def epoch_batches(count: int, batch: int, seed: int, epoch: int, lengths: np.ndarray | None = None) -> list[np.ndarray]:
    """Index arrays (int64) that hold each of ``count`` samples once; sizes differ by at most one and none is above
    ``batch``, so no batch is a small rest.

    ``lengths``: int [count], tokens per sample: batches then hold texts of nearly one length (padding is work for
    nothing: on sentences it is a third of it), in a random order of batches.
    """
    rng = sample_rng(seed, epoch)
    order = rng.permutation(count).astype(np.int64)
    parts = max(1, -(-count // batch))
    if lengths is None:
        return np.array_split(order, parts)
    batches: list[np.ndarray] = []
    for window in np.array_split(order, max(1, -(-parts // WINDOW))):
        by_length = window[np.argsort(lengths[window], kind="stable")]
        batches += np.array_split(by_length, max(1, -(-len(window) // batch)))
    return [batches[i] for i in rng.permutation(len(batches))]


def rank_share(index: np.ndarray, rank: int, world: int) -> np.ndarray:
    """What process ``rank`` of ``world`` computes of a batch: every ``world``-th sample, so lengths are shared too."""
    return index[rank::world]
