from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from speedwell.training.order import epoch_batches, rank_share, sample_rng

sizes = st.tuples(st.integers(1, 500), st.integers(1, 80), st.integers(0, 9), st.integers(0, 5))


@given(sizes, st.booleans())
def test_an_epoch_holds_each_sample_once_in_even_batches(size, by_length):
    count, batch, seed, epoch = size
    lengths = np.random.default_rng(seed).integers(1, 100, count) if by_length else None
    batches = epoch_batches(count, batch, seed, epoch, lengths)
    assert sorted(np.concatenate(batches).tolist()) == list(range(count))
    assert max(map(len, batches)) <= batch
    assert min(map(len, batches)) >= 1
    if not by_length:
        assert max(map(len, batches)) - min(map(len, batches)) <= 1
        assert len(batches) == -(-count // batch)


@given(sizes)
def test_every_epoch_has_as_many_batches(size):
    count, batch, seed, epoch = size
    lengths = np.arange(count)
    assert len(epoch_batches(count, batch, seed, epoch, lengths)) == len(epoch_batches(count, batch, seed, 0, lengths))


def test_the_order_follows_from_seed_and_epoch_alone():
    first = epoch_batches(100, 8, 3, 2)
    again = epoch_batches(100, 8, 3, 2)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(np.concatenate(first), np.concatenate(epoch_batches(100, 8, 3, 3)))
    assert not np.array_equal(np.concatenate(first), np.concatenate(epoch_batches(100, 8, 4, 2)))
    assert sample_rng(1, 2, 3).random() == sample_rng(1, 2, 3).random() != sample_rng(1, 3, 2).random()


def test_batches_by_length_need_less_padding():
    lengths = np.random.default_rng(0).integers(4, 60, 5000)

    def padded(batches):
        return sum(len(b) * int(lengths[b].max()) for b in batches)

    by_length, random = epoch_batches(5000, 32, 0, 0, lengths), epoch_batches(5000, 32, 0, 0)
    assert padded(by_length) < 1.05 * lengths.sum()
    assert padded(random) > 1.5 * lengths.sum()
    firsts = [int(lengths[b].max()) for b in by_length]
    assert abs(np.corrcoef(np.arange(len(firsts)), firsts)[0, 1]) < 0.3  # short and long ones are mixed over the epoch


@given(st.integers(1, 64), st.integers(1, 5))
def test_the_processes_share_a_batch_without_loss(count, world):
    index = np.arange(count)
    parts = [rank_share(index, rank, world) for rank in range(world)]
    assert sorted(np.concatenate(parts).tolist()) == index.tolist()
