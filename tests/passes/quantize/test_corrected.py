from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from speedwell.passes import reference
from speedwell.passes.closeness import sqnr_db
from speedwell.passes.graph import constant
from speedwell.passes.quantize.clipping import mse
from speedwell.passes.quantize.corrected import corrected
from speedwell.passes.quantize.coverage import coverage
from speedwell.passes.quantize.moments import input_moments
from speedwell.passes.quantize.prepared import prepared
from speedwell.passes.quantize.qdq import insert_pairs
from speedwell.passes.quantize.ranges import observe
from speedwell.testing.pass_models import NETWORKS
from speedwell.testing.passes import context_for

BY_NAME = {n.name: n for n in NETWORKS}


@pytest.fixture
def setting(tmp_path, request):
    network = BY_NAME[request.param]
    model, context = network.make("onnx", tmp_path), context_for(network, tmp_path / "scratch")
    graph = prepared(model)
    cover = coverage(graph)
    ranges = {n: mse(h, 100) for n, h in observe(graph, model, cover.tensors, context).items()}
    return model, graph, ranges, input_moments(graph, cover.weighted, ranges, context), context


@pytest.mark.parametrize("setting", ["residual", "mobile", "bert", "vit"], indirect=True)
def test_seven_bit_weights_answer_nearer_to_the_float_network_than_plainly_rounded(setting, tmp_path):
    model, graph, ranges, moments, context = setting
    want = np.concatenate([reference.run(model, b)["output"] for b in context.calibration()])
    quality = {}
    for name, known in (("plain", {}), ("corrected", moments)):
        copy = graph.clone()
        cover = coverage(copy)
        insert_pairs(copy, cover, ranges, 7, corrected(copy, cover.weighted, ranges, 7, known))
        ir.save(copy, tmp_path / f"{name}.onnx")
        run = reference.session(tmp_path / f"{name}.onnx")
        quality[name] = sqnr_db(want, np.concatenate([run.run(["output"], b)[0] for b in context.calibration()]))
    assert quality["corrected"] > quality["plain"]


@pytest.mark.parametrize("setting", ["mobile"], indirect=True)
def test_biases_give_back_the_mean_that_rounding_takes(setting):
    _, graph, ranges, moments, _ = setting
    for name, made in corrected(graph, coverage(graph).weighted, ranges, 8, moments).items():
        node, part = graph.graph.node(name), moments[name]
        weight = constant(node.inputs[1])
        if node.op_type != "Conv":
            continue
        groups = len(part.mean)
        before = weight.reshape(groups, len(weight) // groups, -1)
        after = (made.quantized * made.scale.reshape(-1, 1, 1, 1)).reshape(before.shape)
        want = (before @ part.mean[:, :, None]).reshape(-1) + constant(node.inputs[2])
        np.testing.assert_allclose((after @ part.rounded_mean[:, :, None]).reshape(-1) + made.bias, want, atol=1e-5)


@pytest.mark.parametrize("setting", ["residual"], indirect=True)
def test_without_moments_weights_are_rounded_plainly_and_biases_stay(setting):
    _, graph, ranges, _, _ = setting
    for name, made in corrected(graph, coverage(graph).weighted, ranges, 8, {}).items():
        node = graph.graph.node(name)
        weight = constant(node.inputs[1])
        flat = weight if node.op_type == "Conv" or made.quantized.shape[0] == len(made.scale) else weight.T
        shape = (-1, *[1] * (weight.ndim - 1))
        step = made.scale.reshape(shape) if flat is weight else made.scale.reshape(1, -1)
        assert (np.abs(made.quantized * step - weight) <= step * 0.5001).all()
        np.testing.assert_allclose(made.bias, constant(node.inputs[2]).reshape(-1))
