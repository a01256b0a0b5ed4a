from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from speedwell.passes.graph import infer_shapes, name_nodes
from speedwell.passes.quantize.coverage import coverage
from speedwell.passes.quantize.keep import kept_float, together

CHAIN = """g (float[N,4,8,8] x) => (float[N,4,8,8] y) {
    h = Conv (x, a) r = Relu (h) k = Conv (r, b) s = Add (k, r) z = Conv (s, c) y = Sin (z) }"""


@pytest.fixture
def graph(model_of, normal):
    model = ir.serde.deserialize_model(model_of(CHAIN, **{n: normal(4, 4, 1, 1) for n in "abc"}))
    for node, name in zip(model.graph, ("one", "relu", "two", "sum", "three", "sin"), strict=True):
        node.name = name
    name_nodes(model)
    infer_shapes(model)
    return model


def test_an_operator_goes_with_the_one_that_its_input_is_rounded_by(graph):
    assert together(graph, "one") == {"one"}
    assert together(graph, "two") == {"two", "one"}


def test_one_float_addend_keeps_a_sum_float(graph):
    kept = together(graph, "three")
    assert kept == {"three", "two"}
    assert "s" not in coverage(graph, kept).produced


def test_the_producer_of_a_sensitive_input_is_kept_with_its_reader(graph):
    assert kept_float(graph, {"one": 60.0, "two": 20.0, "three": 40.0}, 2) == ("one", "two")


def test_where_a_set_does_not_fit_the_best_that_does_is_kept(graph):
    assert kept_float(graph, {"one": 60.0, "two": 20.0, "three": 40.0}, 1) == ("one",)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 9])
def test_as_many_are_kept_as_asked_for(graph, count):
    ranked = dict(zip(("one", "two", "three"), np.random.default_rng(count).uniform(10, 60, 3), strict=True))
    kept = kept_float(graph, ranked, count)
    assert len(kept) == min(count, 3)
    assert kept == tuple(sorted(set(kept)))
