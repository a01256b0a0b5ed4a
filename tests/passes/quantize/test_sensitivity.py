from __future__ import annotations

import numpy as np
import pytest

from speedwell.passes.closeness import sqnr_db
from speedwell.passes.quantize import sensitivity
from speedwell.passes.quantize.clipping import minmax
from speedwell.passes.quantize.coverage import coverage
from speedwell.passes.quantize.prepared import prepared
from speedwell.passes.quantize.qdq import insert_pairs
from speedwell.passes.quantize.ranges import observe
from speedwell.testing.pass_models import NETWORKS
from speedwell.testing.passes import context_for

BERT = next(n for n in NETWORKS if n.name == "bert")


@pytest.fixture
def setting(tmp_path):
    model = BERT.make("onnx", tmp_path)
    graph, context = prepared(model), context_for(BERT, tmp_path / "scratch")
    seen = observe(graph, model, coverage(graph).tensors, context)
    return graph, model, {n: minmax(h, 100) for n, h in seen.items()}, context


def test_ranks_every_operator_and_the_same_each_time(setting, monkeypatch):
    graph, model, ranges, context = setting
    first = sensitivity.ranking(graph, model, ranges, 8, context)
    assert set(first) == set(coverage(graph).weighted)
    assert all(5 < v < 100 for v in first.values())
    for kept in context.scratch.glob("sensitivity-*"):
        kept.unlink()
    assert sensitivity.ranking(graph, model, ranges, 8, context) == first
    monkeypatch.setattr(sensitivity, "session", None)
    assert sensitivity.ranking(graph, model, ranges, 8, context) == first


def test_a_rank_is_what_quantizing_that_operator_alone_costs(setting, tmp_path):
    import onnx_ir as ir

    from speedwell.passes import reference

    graph, model, ranges, context = setting
    ranked = sensitivity.ranking(graph, model, ranges, 8, context)
    names = coverage(graph).weighted
    alone = names[3]
    single = graph.clone()
    insert_pairs(single, coverage(single, set(names) - {alone}), ranges, 8)
    ir.save(single, tmp_path / "single.onnx")
    run = reference.session(tmp_path / "single.onnx")
    want, got = [], []
    for batch in context.calibration():
        want.append(reference.run(model, batch)["output"])
        got.append(run.run(["output"], batch)[0])
    assert ranked[alone] == pytest.approx(sqnr_db(np.concatenate(want), np.concatenate(got)), abs=1.0)


def test_a_damaged_operator_ranks_first(setting):
    graph, model, ranges, context = setting
    victim = coverage(graph).weighted[5]
    source = graph.graph.node(victim).inputs[0].name
    low, high = ranges[source]
    ranked = sensitivity.ranking(graph, model, {**ranges, source: (low * 60, high * 60)}, 8, context)
    readers = {n for n in ranked if graph.graph.node(n).inputs[0].name == source}
    assert min(ranked, key=ranked.__getitem__) in readers


def test_operators_that_follow_each_other_directly_are_ranked(tmp_path, model_of, normal):
    import onnx

    from speedwell.core import Model

    text = """g (float[batch,3,32,32] image) => (float[batch,4,28,28] output) {
        a = Conv (image, v) output = Conv (a, w) }"""
    onnx.save(model_of(text, v=normal(4, 3, 3, 3), w=normal(4, 4, 3, 3)), tmp_path / "two.onnx")
    like = NETWORKS[0].make("onnx", tmp_path)
    model = Model.of("onnx", tmp_path / "two.onnx", like.signature, like.origin)
    graph = prepared(model)
    ranges = {name: (-20.0, 20.0) for name in coverage(graph).tensors}
    ranked = sensitivity.ranking(graph, model, ranges, 8, context_for(NETWORKS[0], tmp_path / "scratch"))
    assert set(ranked) == set(coverage(graph).weighted)
    assert all(0 < v < 60 for v in ranked.values())
