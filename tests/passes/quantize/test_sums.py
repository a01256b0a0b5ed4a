"""Activations of 7 bits and weights that keep the bound of sums in 16 bits: offered where they help, alike for all."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import onnx
import onnxruntime
import pytest

from speedwell.core.errors import UsageError
from speedwell.passes import QuantizeDynamic, QuantizeStatic, build, reference
from speedwell.passes.quantize.sums import OUTPUT_DB, ROW_LEVELS
from speedwell.testing.pass_models import NETWORKS
from speedwell.testing.passes import CAPABLE, PassConformance, case_of, context_for

BY_NAME = {n.name: n for n in NETWORKS}
TRANSFORMERS = (BY_NAME["bert"], BY_NAME["vit"])
OLD = dataclasses.replace(CAPABLE, architecture="x86_64", flags=("avx2", "fma"))
"""AVX2 and no dot product."""
PASSES = (QuantizeStatic, QuantizeDynamic)


class TestConformanceOfSevenBits(PassConformance):
    passes = (QuantizeStatic(activation_bits=7),)


class TestConformanceOfBoundWeights(PassConformance):
    passes = (QuantizeStatic(activation_bits=7, run=4, weight_bits=7, keep_float=1), QuantizeDynamic(run=4))
    networks = TRANSFORMERS


class TestConformanceOfSevenBitRows(PassConformance):
    passes = (QuantizeDynamic(activation_bits=7),)
    networks = TRANSFORMERS


@pytest.mark.parametrize("kind", PASSES)
def test_they_are_offered_where_there_is_no_dot_product_and_nowhere_else(kind, tmp_path):
    model = BY_NAME["bert"].make("onnx", tmp_path)
    found = [dict(step.params) for step in kind.choices(model, OLD)]
    assert found[:3] == [{}, {"activation_bits": 7}, {"run": 8}]
    dot = [dataclasses.replace(OLD, flags=("avx2", "avx_vnni")), dataclasses.replace(OLD, architecture="aarch64")]
    for hardware in (CAPABLE, *dot):
        steps = kind.choices(model, hardware)
        assert not any({"activation_bits", "run"} & set(step.params) for step in steps)
        assert len(steps) == len(found) - 2


@pytest.mark.parametrize("kind", PASSES)
def test_every_choice_builds_and_is_this_step(kind, tmp_path):
    for step in kind.choices(BY_NAME["bert"].make("onnx", tmp_path), OLD):
        assert build(step).step == step


@pytest.mark.parametrize("kind", PASSES)
@pytest.mark.parametrize("wrong", [{"activation_bits": 6}, {"run": -1}, {"run": 65}])
def test_what_is_out_of_range_is_a_usage_error(kind, wrong):
    with pytest.raises(UsageError, match="activation_bits"):
        kind(**wrong)


def quantized_tensors(path, inputs, optimized):
    """Every tensor that a QuantizeLinear gives, as ONNX Runtime computes it."""
    proto = onnx.load(path)
    names = [n.output[0] for n in proto.graph.node if n.op_type == "QuantizeLinear"]
    proto.graph.output.extend(onnx.helper.make_tensor_value_info(n, onnx.TensorProto.UINT8, None) for n in names)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return dict(zip(names, session.run(names, inputs), strict=True))


@pytest.mark.parametrize("optimized", [False, True])
def test_no_input_whatever_reaches_the_upper_half_of_the_bytes(tmp_path, optimized):
    case = case_of(QuantizeStatic(activation_bits=7), BY_NAME["vit"], tmp_path)
    loud = {"image": case.inputs()["image"] * 50}
    found = quantized_tensors(case.after.payload, loud, optimized)
    assert found
    assert max(int(tensor.max()) for tensor in found.values()) == 127
    plain = case_of(QuantizeStatic(), BY_NAME["vit"], tmp_path / "plain")
    assert max(int(t.max()) for t in quantized_tensors(plain.after.payload, loud, optimized).values()) == 255


def test_seven_bits_use_all_of_their_steps(tmp_path):
    """The scale is that of 127 steps: on calibration-like inputs both ends are reached."""
    case = case_of(QuantizeStatic(activation_bits=7, method="minmax"), BY_NAME["bert"], tmp_path)
    found = quantized_tensors(case.after.payload, case.network.inputs(1, 12, 3), True)
    spans = [int(tensor.max()) - int(tensor.min()) for tensor in found.values()]
    assert 64 < np.mean(spans) <= 127
    want, got = (reference.run(m, case.inputs())["output"] for m in (case.before, case.after))
    assert np.abs(want - got).max() < 0.2 * np.abs(want).max()


def test_rows_of_seven_bits_stand_in_the_file(tmp_path):
    seven = case_of(QuantizeDynamic(activation_bits=7), BY_NAME["bert"], tmp_path / "seven")
    eight = case_of(QuantizeDynamic(), BY_NAME["bert"], tmp_path / "eight")
    said = [{e.key: e.value for e in onnx.load(c.after.payload).metadata_props} for c in (seven, eight)]
    assert said == [{ROW_LEVELS: "127"}, {}]
    inputs = seven.inputs()
    answers = [reference.run(c.after, inputs)["output"] for c in (seven, eight)]
    np.testing.assert_array_equal(*answers)  # to every other engine they are one network


@pytest.mark.parametrize("kind", PASSES)
def test_what_the_bound_costs_is_in_the_file(kind, tmp_path):
    network = BY_NAME["bert"]
    model = network.make("onnx", tmp_path)
    for run in (4, 8):
        product = kind(run=run, weight_bits=7)(model, context_for(network, tmp_path / f"{run}"))
        said = {e.key: e.value for e in onnx.load(product.payload).metadata_props}
        costs = json.loads(said[OUTPUT_DB])
        assert len(costs) == 13
        without, bound = (np.mean([pair[i] for pair in costs.values()]) for i in (0, 1))
        assert bound <= without + 0.2
        losses = without - bound
        assert losses < 12
        assert run == 4 or losses > 3  # eight quads are all that the smaller products have: their scales must double
