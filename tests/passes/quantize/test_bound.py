"""Scales that let runs of a wished length fit, and what that costs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedwell.native.runs import plan_runs
from speedwell.passes.quantize.bound import bound_scale, output_db
from speedwell.passes.quantize.weights import quantize_weight


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 300), st.sampled_from([127, 255]), st.integers(1, 64), st.integers(0, 99))
def test_the_mean_load_of_every_lane_leaves_room_for_the_run(channels, columns, levels, run, seed):
    rows = np.random.default_rng([channels, columns, seed]).standard_t(4, (channels, columns)).astype(np.float32)
    scale = bound_scale(rows, levels, run)
    quads = -(-columns // 4)
    padded = np.zeros((channels, quads * 4))
    padded[:, :columns] = np.abs(rows)
    loads = padded.reshape(channels, quads, 2, 2).sum(-1).mean(1).max(-1) / scale  # in steps, before rounding
    assert (loads * min(run, quads) * levels <= 65535).all()
    # and no coarser than the length asks for
    assert np.allclose(loads * min(run, quads) * levels, 65535 * 0.82)


@pytest.mark.parametrize(("levels", "run"), [(255, 10), (255, 12), (127, 18), (127, 24)])
def test_the_planner_finds_runs_of_about_the_length_that_was_asked_for(levels, run):
    rows = np.random.default_rng(run).standard_t(8, (64, 512)).astype(np.float32)
    plain, _ = quantize_weight(rows, 0, 7)
    bounded, _ = quantize_weight(rows, 0, 7, bound_scale(rows, levels, run))
    before, after = plan_runs(plain, levels), plan_runs(bounded, levels)
    assert before is not None
    assert after is not None
    # Runs of the length that was asked for fit with lane constants; the planner takes shorter ones where those are
    # cheaper without.
    assert 1.15 * before.mean < after.mean
    assert 0.7 * run < after.mean < 1.25 * run


def test_a_row_of_zeros_asks_for_nothing():
    assert bound_scale(np.zeros((2, 8)), 255, 8).tolist() == [0, 0]


def test_the_cost_is_the_noise_of_the_product_on_inputs_of_that_moment():
    rng = np.random.default_rng(0)
    rows, x = rng.normal(size=(1, 5, 12)), rng.normal(size=(4000, 12)) @ rng.normal(size=(12, 12))
    quantized, scale = np.rint(rows / 0.1), np.full((1, 5), 0.1)
    moment = (x.T @ x / len(x))[None]
    want, got = x @ rows[0].T, x @ (quantized[0] * 0.1).T
    assert output_db(rows, quantized, scale, moment) == pytest.approx(
        10 * np.log10(np.square(want).sum() / np.square(want - got).sum())
    )
    alone = 10 * np.log10(np.square(rows).sum() / np.square(rows - quantized * 0.1).sum())
    assert output_db(rows, quantized, scale, None) == pytest.approx(alone)
    assert output_db(rows, rows / 0.1, scale, None) > 250  # nothing lost but float64's own rounding
