from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from speedwell.core.errors import PreconditionError
from speedwell.passes import reference
from speedwell.passes.quantize import ranges
from speedwell.passes.quantize.prepared import prepared
from speedwell.testing.pass_models import NETWORKS
from speedwell.testing.passes import CALIBRATION, context_for

BERT = next(n for n in NETWORKS if n.name == "bert")


@pytest.fixture
def setting(tmp_path):
    network = NETWORKS[0]
    model = network.make("onnx", tmp_path)
    return model, prepared(model), context_for(network, tmp_path / "scratch")


def test_ranges_are_those_of_the_tensors_over_all_batches(setting):
    model, graph, context = setting
    found = ranges.observe(graph, model, ["image", "output"], context)
    images = [b["image"] for b in context.calibration()]
    outputs = [reference.run(model, b)["output"] for b in context.calibration()]
    for name, arrays in (("image", images), ("output", outputs)):
        assert found[name].low == pytest.approx(min(a.min() for a in arrays), rel=1e-4)
        assert found[name].high == pytest.approx(max(a.max() for a in arrays), rel=1e-4)
    assert found["output"].counts.sum() == sum(a.size for a in outputs)


def test_second_time_comes_from_scratch_and_is_the_same(setting, monkeypatch):
    model, graph, context = setting
    first = ranges.observe(graph, model, ["image", "output"], context)
    monkeypatch.setattr(ranges, "session", None)
    second = ranges.observe(graph, model, ["image", "output"], context)
    for name, histogram in first.items():
        assert (histogram.low, histogram.high) == (second[name].low, second[name].high)
        np.testing.assert_array_equal(histogram.counts, second[name].counts)


def test_other_calibration_data_is_observed_anew(setting):
    model, graph, context = setting
    first = ranges.observe(graph, model, ["image"], context)
    other = dataclasses.replace(context, calibration=lambda: iter([{"image": np.ones((1, 3, 32, 32), np.float32)}]))
    second = ranges.observe(graph, model, ["image"], other)
    assert first["image"].high > second["image"].high == 1


def test_memory_is_bounded_whatever_the_tensors_size(setting, monkeypatch):
    model, graph, context = setting
    monkeypatch.setattr(ranges, "MAX_VALUES", 500)
    found = ranges.observe(graph, model, ["image"], context)
    assert 0 < found["image"].counts.sum() <= 500 + CALIBRATION


def test_only_so_many_samples_are_read(setting):
    _, _, context = setting
    assert len(list(ranges.calibration_batches(context, 5))) == 5
    assert len(list(ranges.calibration_batches(context))) == CALIBRATION


def test_a_tensor_that_is_not_finite_is_refused(setting):
    model, graph, context = setting
    bad = np.ones((1, 3, 32, 32), np.float32)
    bad[0, 1, 2, 3] = np.nan
    broken = dataclasses.replace(context, calibration=lambda: iter([{"image": bad}]))
    with pytest.raises(PreconditionError, match="not finite"):
        ranges.observe(graph, model, ["image"], broken)


def test_no_model_is_left_behind(setting):
    model, graph, context = setting
    ranges.observe(graph, model, ["output"], context)
    assert {p.suffix for p in context.scratch.iterdir()} == {".npz"}
