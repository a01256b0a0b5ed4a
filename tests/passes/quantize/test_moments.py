from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedwell.core import Model
from speedwell.passes.quantize import moments
from speedwell.passes.quantize.coverage import coverage
from speedwell.passes.quantize.moments import Geometry, input_moments, patches
from speedwell.passes.quantize.prepared import prepared
from speedwell.testing.pass_models import NETWORKS
from speedwell.testing.passes import context_for

BY_NAME = {n.name: n for n in NETWORKS}


@given(
    st.integers(1, 3),
    st.integers(1, 2),
    st.integers(1, 2),
    st.integers(0, 2),
    st.integers(0, 2),
    st.sampled_from([1, 2]),
)
@settings(max_examples=40, deadline=None)
def test_patches_are_what_a_convolution_sees(kernel, stride, dilation, before, after, groups):
    import torch

    rng = np.random.default_rng(kernel + 5 * stride)
    x = rng.standard_normal((2, 4, 7, 6)).astype(np.float32)
    w = rng.standard_normal((4, 4 // groups, kernel, 2)).astype(np.float32)
    geometry = Geometry((kernel, 2), (stride, 1), (before, 1, after, 0), (dilation, 1), groups)
    padded = torch.from_numpy(np.pad(x, [(0, 0), (0, 0), (before, after), (1, 0)]))
    want = torch.conv2d(padded, torch.from_numpy(w), None, (stride, 1), 0, (dilation, 1), groups).numpy()
    columns = patches(x, geometry, 10**6, rng)
    split = columns.reshape(len(columns), groups, -1)
    got = np.einsum("ngk,grk->ngr", split, w.reshape(groups, 4 // groups, -1)).reshape(len(columns), 4)
    np.testing.assert_allclose(got, want.transpose(0, 2, 3, 1).reshape(-1, 4), atol=1e-4)


def test_only_so_many_positions_are_drawn():
    geometry = Geometry((3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 1)
    x = np.ones((2, 3, 8, 8), np.float32)
    assert patches(x, geometry, 5, np.random.default_rng(0)).shape == (5, 3, 9)


@pytest.mark.parametrize("name", ["mobile", "bert"])
def test_moments_are_those_of_the_columns(name, tmp_path):
    network = BY_NAME[name]
    model = network.make("onnx", tmp_path)
    graph, context = prepared(model), context_for(network, tmp_path / "scratch")
    cover = coverage(graph)
    found = input_moments(graph, cover.weighted, dict.fromkeys(cover.tensors, (-8.0, 8.0)), context)
    assert set(found) == set(cover.weighted)
    for part in found.values():
        assert part.second is not None
        assert part.second.shape == (*part.mean.shape, part.mean.shape[1])
        # steps of 16 / 255: rounding moves a mean by half a step at most
        assert np.abs(part.rounded_mean - part.mean).max() <= 8 / 255 + 1e-6
        np.linalg.cholesky(part.covariance + np.eye(part.mean.shape[1]) * (part.covariance.max() == 0))
    assert list(context.scratch.glob("moments*")) == []


def test_operators_with_one_input_share_theirs_and_the_seed_decides(tmp_path):
    network = BY_NAME["bert"]
    graph = prepared(network.make("onnx", tmp_path))
    context = context_for(network, tmp_path / "scratch")
    cover = coverage(graph)
    limits = dict.fromkeys(cover.tensors, (-8.0, 8.0))
    first = input_moments(graph, cover.weighted, limits, context)
    again = input_moments(graph, cover.weighted, limits, context)
    assert len({id(part) for part in first.values()}) < len(first)
    for name, part in first.items():
        np.testing.assert_array_equal(part.second, again[name].second)


def test_wide_operators_keep_their_means_only(tmp_path, monkeypatch):
    monkeypatch.setattr(moments, "MAX_COLUMNS", 20)
    network = BY_NAME["residual"]
    graph = prepared(network.make("onnx", tmp_path))
    cover = coverage(graph)
    found = input_moments(graph, cover.weighted, dict.fromkeys(cover.tensors, (-8.0, 8.0)),
                          context_for(network, tmp_path / "scratch"))  # fmt: skip
    assert {part.second is None for part in found.values()} == {True, False}
    assert all((part.second is None) == (part.mean.shape[1] > 20) for part in found.values())


def test_without_data_there_are_none(tmp_path):
    network = BY_NAME["residual"]
    model: Model = network.make("onnx", tmp_path)
    graph = prepared(model)
    context = dataclasses.replace(context_for(network, tmp_path / "scratch"), calibration=lambda: iter(()))
    assert input_moments(graph, coverage(graph).weighted, {}, context) == {}


def test_a_constant_input_far_from_zero_has_a_covariance_that_can_be_inverted():
    from speedwell.passes.quantize.rounding import round_compensated

    total = moments._Sum()
    for _ in range(40):
        total.add(np.full((1, 33, 24), 5.3, np.float32), (0.0, 6.0))
    made = total.moments()
    np.testing.assert_allclose(made.mean, 5.3, rtol=1e-6)
    weight = np.random.default_rng(0).standard_normal((1, 4, 24))
    scale = np.full((1, 4), 0.02)
    plain = np.clip(np.rint(weight / 0.02), -127, 127)
    np.testing.assert_array_equal(round_compensated(weight, scale, made.covariance, 127), plain)
