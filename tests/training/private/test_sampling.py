from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from speedwell.training.private import PoissonLoader, Secret

from .conftest import maker, numbers

COUNT, BATCH = 200, 20


def loader(count: int = COUNT, batch: int = BATCH, seed: int = 0) -> PoissonLoader:
    return PoissonLoader(maker(*numbers(count)), count, batch, Secret.of_seed(seed))


def test_each_sample_is_drawn_with_the_rate_and_independently_of_the_others():
    made = loader()
    steps = 2000
    drawn = np.zeros((steps, COUNT), bool)
    for step in range(steps):
        drawn[step, made.drawn(step)] = True
    assert made.rate == 0.1
    each = drawn.sum(axis=0)
    assert stats.chisquare(each, np.full(COUNT, each.mean())).pvalue > 1e-4
    assert abs(drawn.mean() - 0.1) < 5 * np.sqrt(0.1 * 0.9 / drawn.size)
    # batches of a fixed size would have no variance, shuffled epochs a smaller one
    sizes = drawn.sum(axis=1)
    assert sizes.var() == pytest.approx(COUNT * 0.1 * 0.9, rel=0.2)
    # a sample of one step is in the next as often as any other
    both = (drawn[1:] & drawn[:-1]).sum()
    assert abs(both - drawn[:-1].sum() * 0.1) < 5 * np.sqrt(drawn[:-1].sum() * 0.1 * 0.9)


def test_an_epoch_can_be_entered_anywhere():
    made = loader()
    assert made.steps == 10
    whole = [(batch.samples.tolist(), size) for batch, size in made.epoch(3)]
    assert whole == [(index.tolist(), len(index)) for index in made.order(3)]
    assert [(batch.samples.tolist(), size) for batch, size in loader().epoch(3, 6)] == whole[6:]
    assert [i.tolist() for i in made.order(2)] != [i.tolist() for i in made.order(3)]
    assert [i.tolist() for i in loader(seed=1).order(3)] != [i.tolist() for i in made.order(3)]


def test_augmentation_goes_by_the_key_and_the_step():
    seen = []
    pixels, labels = numbers(COUNT)
    plain = maker(pixels, labels)

    def make(index, rng):
        seen.append(rng.integers(1 << 60))
        return plain(index, rng)

    for seed in (0, 0, 1):
        list(PoissonLoader(make, COUNT, BATCH, Secret.of_seed(seed)).epoch(0))
    assert seen[:10] == seen[10:20] != seen[20:]
    assert len(set(seen)) == 20


def test_an_empty_batch_asks_no_maker():
    def make(index, rng):
        assert len(index), "the maker was asked for nothing"
        return maker(*numbers(4))(index, rng)

    made = PoissonLoader(make, 4, 1, Secret.of_seed(0))
    sizes = [(len(batch), size) for epoch in range(20) for batch, size in made.epoch(epoch)]
    assert all(a == b for a, b in sizes)
    # (3/4)^4 of 80 batches
    assert 10 < sum(size == 0 for _, size in sizes) < 42


def test_a_batch_of_all_samples_is_all_samples():
    made = loader(count=7, batch=64)
    assert made.steps == 1
    assert made.drawn(0).tolist() == list(range(7))
    assert made.some().tolist() == [0, 1]
