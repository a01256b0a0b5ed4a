from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from speedwell.passes.quantize.weights import quantize_weight

WEIGHTS = hnp.arrays(
    np.float32, st.tuples(st.integers(1, 5), st.integers(1, 5)), elements=st.floats(-1e4, 1e4, width=32)
)


@given(WEIGHTS, st.sampled_from([0, 1]), st.sampled_from([7, 8]))
def test_error_is_at_most_half_a_step_and_the_range_is_symmetric(weight, axis, bits):
    q, scale = quantize_weight(weight, axis, bits)
    assert (q.dtype, scale.dtype, q.shape, scale.shape) == (np.int8, np.float32, weight.shape, (weight.shape[axis],))
    assert np.abs(q.astype(int)).max() <= 2 ** (bits - 1) - 1
    along = scale.reshape((-1, 1) if axis == 0 else (1, -1)).astype(np.float64)
    assert (np.abs(q * along - weight) <= along * 0.5001 + 1e-30).all()


def test_a_channel_of_zeros_has_scale_one():
    q, scale = quantize_weight(np.array([[0, 0], [1, -2]], np.float32), 0, 8)
    assert scale[0] == 1
    assert not q[0].any()
    assert q[1].tolist() == [64, -127]


def test_a_least_scale_coarsens_its_channel_only():
    weight = np.ones((2, 3), np.float32)
    _, scale = quantize_weight(weight, 0, 8, np.array([0.0, 0.5]))
    np.testing.assert_allclose(scale, [1 / 127, 0.5])


def test_other_widths_are_refused():
    with pytest.raises(ValueError, match="7 or 8"):
        quantize_weight(np.ones((1, 1), np.float32), 0, 4)
