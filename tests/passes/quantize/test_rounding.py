from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedwell.passes.quantize.rounding import BLOCK, round_compensated


def case(seed, groups, rows, columns):
    """A weight [groups, rows, columns], its scale, and the second moment of inputs that depend on each other."""
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((groups, rows, columns))
    scale = np.abs(weight).max(axis=2) / 7
    inputs = rng.standard_normal((groups, 300, max(1, columns // 3))) @ rng.standard_normal(
        (groups, max(1, columns // 3), columns)
    )
    return weight, scale, inputs, inputs.transpose(0, 2, 1) @ inputs / 300


def loss(weight, scale, q, inputs):
    return float(np.square(inputs @ (weight - q * scale[:, :, None]).transpose(0, 2, 1)).mean())


@pytest.mark.parametrize(("groups", "rows", "columns"), [(1, 16, 48), (8, 1, 9), (2, 4, BLOCK + 7)])
def test_outputs_are_much_nearer_than_by_plain_rounding(groups, rows, columns):
    weight, scale, inputs, moment = case(0, groups, rows, columns)
    plain = np.rint(weight / scale[:, :, None])
    assert loss(weight, scale, round_compensated(weight, scale, moment, 7), inputs) < 0.5 * loss(
        weight, scale, plain, inputs
    )


@given(st.integers(0, 99), st.integers(1, 3), st.integers(1, 4), st.integers(1, 12), st.sampled_from([3, 63, 127]))
@settings(max_examples=40, deadline=None)
def test_integers_stay_in_range_and_are_integers(seed, groups, rows, columns, top):
    weight, scale, _, moment = case(seed, groups, rows, columns)
    q = round_compensated(weight, scale, moment, top)
    assert q.shape == weight.shape
    assert np.abs(q).max() <= top
    np.testing.assert_array_equal(q, np.rint(q))


@given(st.integers(0, 99), st.integers(1, 3), st.integers(1, 12))
@settings(max_examples=25, deadline=None)
def test_inputs_that_are_independent_or_absent_give_plain_rounding(seed, groups, columns):
    weight, scale, _, _ = case(seed, groups, 3, columns)
    plain = np.clip(np.rint(weight / scale[:, :, None]), -7, 7)
    own = np.random.default_rng(seed).uniform(0.1, 2, (groups, columns))
    diagonal = own[:, :, None] * np.eye(columns)
    np.testing.assert_array_equal(round_compensated(weight, scale, diagonal, 7), plain)
    np.testing.assert_array_equal(round_compensated(weight, scale, 0 * diagonal, 7), plain)


def test_blocks_of_columns_give_what_single_columns_give(monkeypatch):
    from speedwell.passes.quantize import rounding

    weight, scale, _, moment = case(3, 2, 5, 40)
    whole = round_compensated(weight, scale, moment, 7)
    monkeypatch.setattr(rounding, "BLOCK", 1)
    np.testing.assert_array_equal(round_compensated(weight, scale, moment, 7), whole)
