from __future__ import annotations

import onnx_ir as ir

from speedwell.passes.graph import infer_shapes, name_nodes
from speedwell.passes.quantize.coverage import coverage, weight_axis, weighted_nodes


def opened(proto):
    model = ir.serde.deserialize_model(proto)
    for i, node in enumerate(model.graph):
        node.name = f"n{i}"
    name_nodes(model)
    infer_shapes(model)
    return model


RESIDUAL = """g (float[N,4,8,8] x) => (float[N,4,4,4] y) {
    a = Conv <pads = [1,1,1,1]> (x, w) b = Relu (a)
    c = Conv <pads = [1,1,1,1]> (b, w) d = Add (c, b) e = Relu (d)
    f = MaxPool <kernel_shape = [2,2], strides = [2,2]> (e)
    y = Conv <pads = [1,1,1,1]> (f, w) }"""


def test_residual_network_is_covered_whole(model_of, normal):
    plan = coverage(opened(model_of(RESIDUAL, w=normal(4, 4, 3, 3))))
    assert plan.weighted == ("n0", "n2", "n6")
    assert set(plan.tensors) == {"x", "b", "c", "e", "f", "y"}
    assert plan.tensors["f"] == "e"
    assert plan.produced == {"b", "c", "e", "f", "y"}


def test_sum_with_a_float_side_stays_float(model_of, normal):
    plan = coverage(opened(model_of(RESIDUAL, w=normal(4, 4, 3, 3))), keep_float=("n2",))
    assert plan.weighted == ("n0", "n6")
    assert "d" not in plan.produced
    assert "e" not in plan.produced
    assert plan.tensors["f"] == "f"


def test_residual_stream_of_a_transformer_stays_float(model_of, normal):
    text = """g (float[N,5,8] x) => (float[N,5,8] y) {
        a = MatMul (x, w) b = Add (a, c) d = Add (b, x) e = LayerNormalization (d, s)
        f = MatMul (e, w) y = Add (f, d) }"""
    plan = coverage(opened(model_of(text, w=normal(8, 8), c=normal(8), s=normal(8))))
    assert plan.tensors == {"x": "x", "e": "e"}
    assert plan.produced == set()


def test_products_of_two_activations_and_computed_biases_stay_float(model_of, normal):
    text = """g (float[4,4] x, float[4] c) => (float[4,4] y) {
        a = MatMul (x, x) b = Gemm (a, w, c) d = Gemm <alpha = 2.0> (b, w) e = Gemm <transA = 1> (d, w)
        y = MatMul (w, e) }"""
    assert weighted_nodes(opened(model_of(text, w=normal(4, 4)))) == ()


def test_output_channels_are_found_in_either_layout(model_of, normal):
    text = "g (float[N,4] x) => (float[N,4] y) { a = Gemm <transB = 1> (x, w) b = Gemm (a, w) y = MatMul (b, w) }"
    assert [weight_axis(n) for n in opened(model_of(text, w=normal(4, 4))).graph] == [0, 1, 1]


def test_a_pool_that_leads_to_no_integer_operator_stays_float(model_of, normal):
    text = """g (float[N,4,8,8] x) => (float[N,4,1,1] y) {
        a = Conv <pads = [1,1,1,1]> (x, w) b = GlobalAveragePool (a) y = Sigmoid (b) }"""
    assert coverage(opened(model_of(text, w=normal(4, 4, 3, 3)))).produced == {"a"}
