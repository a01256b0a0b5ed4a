from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from speedwell.passes.quantize.histogram import BINS, Histogram

VALUES = hnp.arrays(np.float32, st.integers(2, 300), elements=st.floats(-1e3, 1e3, width=32))


@given(VALUES, st.integers(1, 5))
def test_parts_count_like_the_whole_and_nothing_is_lost(values, parts):
    whole, split = (Histogram(float(values.min()), float(values.max())) for _ in range(2))
    whole.add(values)
    for part in np.array_split(values, parts):
        split.add(part)
    assert whole.counts.sum() == values.size
    np.testing.assert_array_equal(whole.counts, split.counts)


@given(VALUES)
def test_quantiles_lie_in_the_range_and_grow(values):
    histogram = Histogram(float(values.min()), float(values.max()))
    histogram.add(values)
    found = [histogram.quantile(s) for s in (0, 0.1, 0.5, 0.9, 1)]
    assert found == sorted(found)
    assert histogram.low <= found[0]
    assert found[-1] <= histogram.high + 1e-9


def test_quantile_is_exact_to_a_bin(normal):
    values = normal(200_000)
    histogram = Histogram(float(values.min()), float(values.max()))
    histogram.add(values)
    width = (histogram.high - histogram.low) / BINS
    for share in (0.001, 0.5, 0.999):
        assert histogram.quantile(share) == pytest.approx(float(np.quantile(values, share)), abs=width)


def test_a_flat_tensor_is_in_one_bin():
    histogram = Histogram(2.0, 2.0)
    histogram.add(np.full(7, 2.0))
    assert histogram.counts.sum() == histogram.counts[0] == 7
    assert histogram.quantile(0.5) == 2
