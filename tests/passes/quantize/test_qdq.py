from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from speedwell.engines.openvino import shared_core
from speedwell.passes import reference
from speedwell.passes.closeness import sqnr_db
from speedwell.passes.graph import infer_shapes, name_nodes, prune
from speedwell.passes.quantize.coverage import coverage
from speedwell.passes.quantize.qdq import insert_pairs


def quantized(proto, ranges, bits=8):
    model = ir.serde.deserialize_model(proto)
    name_nodes(model)
    infer_shapes(model)
    insert_pairs(model, coverage(model), ranges, bits)
    prune(model)
    made = ir.serde.serialize_model(model)
    onnx.checker.check_model(made, full_check=True)
    return made


def run(proto, x):
    return reference.session(proto.SerializeToString()).run(None, {"x": x})[0]


@pytest.mark.parametrize("transposed", [0, 1])
def test_gemm_answers_within_the_steps_of_its_input_and_weights(model_of, normal, transposed):
    w, x = normal(16, 16), normal(8, 16)
    text = f"g (float[N,16] x) => (float[N,16] y) {{ y = Gemm <transB = {transposed}> (x, w, c) }}"
    proto = model_of(text, w=w, c=normal(16))
    made = quantized(proto, {"x": (float(x.min()), float(x.max()))})
    step_x, step_w = (x.max() - x.min()) / 255, np.abs(w).max() / 127
    bound = 16 * (np.abs(w).max() * step_x / 2 + np.abs(x).max() * step_w / 2 + step_x * step_w / 4) + 1e-4
    error = np.abs(run(proto, x) - run(made, x)).max()
    assert 0 < error < bound


def test_a_weight_that_two_operators_share_is_right_for_both(model_of, normal):
    w, x = normal(16, 16), normal(8, 16)
    proto = model_of(
        "g (float[N,16] x) => (float[N,16] y) { h = Gemm (x, w, c) y = Gemm (h, w, c) }", w=w, c=normal(16)
    )
    h = x @ w
    made = quantized(proto, {"x": (float(x.min()), float(x.max())), "h": (float(h.min()) - 3, float(h.max()) + 3)})
    want = run(proto, x)
    assert np.abs(want - run(made, x)).max() < 0.1 * np.abs(want).max()


def test_a_bias_beyond_32_bits_of_its_unit_is_still_right(model_of, normal):
    w = normal(4, 4) * np.float32(1e-9)
    proto = model_of("g (float[N,4] x) => (float[N,4] y) { y = Gemm (x, w, c) }", w=w, c=np.full(4, 100, np.float32))
    made = quantized(proto, {"x": (-0.01, 0.01)})
    np.testing.assert_allclose(run(made, np.zeros((1, 4), np.float32)), 100, rtol=1e-5)


def test_an_output_that_is_quantized_keeps_its_name(model_of, normal):
    proto = model_of("g (float[N,4,8,8] x) => (float[N,4,6,6] y) { y = Conv (x, w) }", w=normal(4, 4, 3, 3))
    made = quantized(proto, {"x": (-3.0, 3.0), "y": (-20.0, 20.0)})
    assert [o.name for o in made.graph.output] == ["y"]
    assert [n.op_type for n in made.graph.node][-2:] == ["QuantizeLinear", "DequantizeLinear"]


def test_float_readers_of_a_float_tensor_keep_the_float(model_of, normal):
    proto = model_of(
        "g (float[N,4] x) => (float[N,4] y) { h = Sin (x) a = MatMul (h, w) y = Add (a, h) }", w=normal(4, 4)
    )
    made = quantized(proto, {"h": (-1.0, 1.0)})
    add = next(n for n in made.graph.node if n.op_type == "Add")
    assert "h" in add.input


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_weights_that_stay_float_are_float_in_the_engine_too(model_of, normal, engine):
    # ONNX Runtime rounds float weights between a dequantized input and a quantized output, with one scale for all
    # channels: here channel 0 is a thousand times the others
    middle = normal(4, 4, 3, 3)
    middle[0] *= 1000
    text = """g (float[N,4,12,12] x) => (float[N,4,8,8] y) {
        h = Conv <pads = [1, 1, 1, 1]> (x, a) k = Conv (h, b) y = Conv (k, c) }"""
    small = normal(4, 4, 3, 3)
    small[:, 0] = 0
    proto = model_of(text, a=normal(4, 4, 3, 3), b=middle, c=small)
    model = ir.serde.deserialize_model(proto)
    name_nodes(model)
    infer_shapes(model)
    middle_name = next(str(n.name) for n in model.graph if n.outputs[0].name == "k")
    x = normal(2, 4, 12, 12)
    limits = {"x": (-5.0, 5.0), "h": (-30.0, 30.0), "k": (-150.0, 150.0), "y": (-800.0, 800.0)}
    insert_pairs(model, coverage(model, {middle_name}), limits, 8)
    prune(model)
    made = ir.serde.serialize_model(model).SerializeToString()
    want = reference.session(made).run(None, {"x": x})[0]
    if engine == "onnxruntime":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        got = onnxruntime.InferenceSession(made, options, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
    else:
        core = shared_core()
        compiled = core.compile_model(core.read_model(made, b""), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        got = compiled({"x": x})[0]
    assert sqnr_db(want, got) > 35
