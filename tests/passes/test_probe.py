from __future__ import annotations

import dataclasses

import numpy as np

from speedwell.core import TensorSpec
from speedwell.passes.probe import probe, probe_sizes, resized
from speedwell.testing.pass_models import NETWORKS
from speedwell.testing.passes import context_for

BERT = next(n for n in NETWORKS if n.name == "bert")


def test_the_two_sizes_differ_in_every_symbol(tmp_path):
    model, context = BERT.make("torch", tmp_path), context_for(BERT, tmp_path)
    first, second = probe_sizes(model, context)
    assert first.keys() == second.keys() == model.signature.symbols
    assert all(first[s] != second[s] and min(first[s], second[s]) > 1 for s in first)


def test_calibration_samples_are_used_where_there_are_any(tmp_path):
    model, context = BERT.make("torch", tmp_path), context_for(BERT, tmp_path)
    inputs = probe(model, context, {"batch": 3, "sequence": 5})
    given = next(iter(context.calibration()))
    np.testing.assert_array_equal(inputs["input_ids"], np.repeat(given["input_ids"][:, :5], 3, axis=0))


def test_without_them_inputs_are_drawn_the_same_each_time(tmp_path):
    model = BERT.make("torch", tmp_path)
    context = dataclasses.replace(context_for(BERT, tmp_path), calibration=lambda: iter(()))
    one, two = (probe(model, context, {"batch": 2, "sequence": 6}) for _ in range(2))
    np.testing.assert_array_equal(one["input_ids"], two["input_ids"])
    assert set(one["input_ids"].ravel().tolist()) <= {0, 1}
    assert one["attention_mask"].all()
    assert one["input_ids"].dtype == np.int64


def test_an_axis_is_cut_or_repeated():
    spec = TensorSpec("x", "float32", ("batch", "sequence"))
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    got = resized(spec, array, {"batch": 3, "sequence": 2})
    np.testing.assert_array_equal(got, [[0, 1], [3, 4], [0, 1]])
