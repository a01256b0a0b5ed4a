from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import pytest

from speedwell.core import Hardware
from speedwell.core.errors import PreconditionError, UsageError
from speedwell.passes import Fuse, QuantizeDynamic, reference
from speedwell.passes.quantize.dynamic import LEAST_SHARE
from speedwell.testing.pass_models import NETWORKS
from speedwell.testing.passes import CAPABLE, PassConformance, case_of, context_for

BY_NAME = {n.name: n for n in NETWORKS}
TRANSFORMERS = (BY_NAME["bert"], BY_NAME["vit"])


class TestConformance(PassConformance):
    passes = (QuantizeDynamic(), QuantizeDynamic(keep_float=2, weight_bits=7))
    networks = TRANSFORMERS


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return case_of(QuantizeDynamic(), BY_NAME["bert"], tmp_path_factory.mktemp("bert"))


def operators(path):
    return [n.op_type for n in onnx.load(path).graph.node]


def weights(path):
    graph = onnx.load(path).graph
    return [onnx.numpy_helper.to_array(t) for t in graph.initializer if t.name.endswith("_weight_quantized")]


def test_every_weighted_matmul_is_integer_and_those_of_two_activations_are_not(bert):
    found = operators(bert.after.payload)
    assert found.count("MatMulInteger") == 2 * 6 + 1
    assert found.count("MatMul") == 2 * 2
    assert "Gemm" not in found


def test_readers_of_one_tensor_share_its_quantization(bert):
    assert operators(bert.after.payload).count("DynamicQuantizeLinear") == 2 * 4 + 1


def test_answers_are_near_the_float_network(bert):
    inputs = bert.inputs()
    want, got = (reference.run(m, inputs)["output"] for m in (bert.before, bert.after))
    assert np.abs(want - got).max() < 0.05 * np.abs(want).max()


def test_needs_no_calibration_data(bert, tmp_path):
    context = dataclasses.replace(context_for(bert.network, tmp_path), calibration=lambda: iter(()))
    assert QuantizeDynamic()(bert.before, context).digest == bert.after.digest


def test_file_shrinks(bert):
    assert bert.after.size_bytes < 0.7 * bert.before.size_bytes


def test_keep_float_leaves_that_many_operators(bert, tmp_path):
    product = QuantizeDynamic(keep_float=3)(bert.before, context_for(bert.network, tmp_path))
    assert operators(product.payload).count("MatMulInteger") == 2 * 6 + 1 - 3


def test_nothing_left_to_quantize_is_refused(bert, tmp_path):
    with pytest.raises(PreconditionError, match="13 MatMul and Gemm"):
        QuantizeDynamic(keep_float=13)(bert.before, context_for(bert.network, tmp_path))


def test_a_processor_that_saturates_gets_seven_bit_weights(bert, tmp_path):
    old = dataclasses.replace(CAPABLE, architecture="x86_64", flags=("avx2",))
    product = QuantizeDynamic()(bert.before, context_for(bert.network, tmp_path, old))
    assert max(int(np.abs(w.astype(int)).max()) for w in weights(product.payload)) == 63
    assert max(int(np.abs(w.astype(int)).max()) for w in weights(bert.after.payload)) == 127


def test_convolutional_networks_have_no_choice_of_it(tmp_path):
    assert 0 < LEAST_SHARE < 1
    for name in ("residual", "mobile"):
        assert QuantizeDynamic.choices(BY_NAME[name].make("onnx", tmp_path), Hardware.here()) == ()


def test_a_fused_model_gives_the_same_operators(bert, tmp_path):
    fused = Fuse()(bert.before, context_for(bert.network, tmp_path / "fused"))
    product = QuantizeDynamic()(fused, context_for(bert.network, tmp_path))
    assert sorted(operators(product.payload)) == sorted(operators(bert.after.payload))


@pytest.mark.parametrize("wrong", [{"keep_float": -1}, {"weight_bits": 4}])
def test_a_parameter_out_of_range_is_a_usage_error(wrong):
    with pytest.raises(UsageError):
        QuantizeDynamic(**wrong)
