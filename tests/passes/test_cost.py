from __future__ import annotations

import onnx_ir as ir
import pytest

from speedwell.passes.cost import multiply_adds, weight_matmul_share
from speedwell.passes.graph import infer_shapes, name_nodes


def counted(proto):
    model = ir.serde.deserialize_model(proto)
    name_nodes(model)
    infer_shapes(model)
    return model, list(multiply_adds(model).values())


@pytest.mark.parametrize(
    ("text", "weight", "count"),
    [("g (float[N,4,8,8] x) => (float[N,6,6,6] y) { y = Conv (x, w) }", (6, 4, 3, 3), 6 * 6 * 6 * 4 * 9),
     ("g (float[N,4,8,8] x) => (float[N,4,6,6] y) { y = Conv <group = 4> (x, w) }", (4, 1, 3, 3), 4 * 6 * 6 * 9),
     ("g (float[N,4,5,5] x) => (float[N,6,7,7] y) { y = ConvTranspose (x, w) }", (4, 6, 3, 3), 4 * 25 * 6 * 9),
     ("g (float[N,4] x) => (float[N,6] y) { y = Gemm <transB = 1> (x, w) }", (6, 4), 24),
     ("g (float[3,4] x) => (float[3,6] y) { y = Gemm (x, w) }", (4, 6), 72),
     ("g (float[N,5,4] x) => (float[N,5,6] y) { y = MatMul (x, w) }", (4, 6), 5 * 24)],
    ids=["conv", "depthwise", "conv transpose", "gemm", "gemm of a batch", "matmul"],
)  # fmt: skip
def test_multiply_adds_are_counted_by_hand(model_of, normal, text, weight, count):
    assert counted(model_of(text, w=normal(*weight)))[1] == [count]


def test_share_counts_constant_weights_only(model_of, normal):
    text = """g (float[5,4] x) => (float[5,5] y) {
        h = MatMul (x, w)
        t = Transpose (h)
        y = MatMul (h, t) }"""
    model, counts = counted(model_of(text, w=normal(4, 4)))
    assert counts == [5 * 4 * 4, 5 * 5 * 4]
    assert weight_matmul_share(model) == pytest.approx(80 / 180)


def test_a_network_without_any_has_share_zero(model_of):
    assert weight_matmul_share(counted(model_of("g (float[5] x) => (float[5] y) { y = Relu (x) }"))[0]) == 0
