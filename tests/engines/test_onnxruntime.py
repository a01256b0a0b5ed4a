from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from speedwell.core import Model
from speedwell.core.errors import EngineError
from speedwell.engines import OnnxRuntime, reference_session
from speedwell.engines.onnxruntime import OnnxRuntimeSession
from speedwell.testing.engine_models import NETWORKS, QUANTIZED
from speedwell.testing.engines import EngineConformance, QuantizedConformance, workload


class TestConformance(EngineConformance):
    engine = OnnxRuntime()


class TestQuantizedGraphs(QuantizedConformance):
    engine = OnnxRuntime()


def test_a_session_starts_exactly_the_threads_it_was_given(tmp_path: Path) -> None:
    model = NETWORKS[0].make("onnx", tmp_path)
    inputs = NETWORKS[0].inputs(1, 1, 0)
    for threads in (1, 2, 3):
        before = len(os.listdir("/proc/self/task"))
        session = OnnxRuntimeSession(model, threads, tmp_path)
        session.run(inputs)
        assert len(os.listdir("/proc/self/task")) - before == threads - 1  # the caller's own thread is one of them
        session.close()


def test_threads_sleep_after_a_run(tmp_path: Path) -> None:
    session = OnnxRuntime().compile(NETWORKS[0].make("onnx", tmp_path), workload(NETWORKS[0], threads=2), tmp_path)
    options = session._session.get_session_options()
    assert options.get_session_config_entry("session.force_spinning_stop") == "1"


def test_the_reference_has_no_optimization_and_the_engine_has_all(tmp_path: Path) -> None:
    model = NETWORKS[0].make("onnx", tmp_path)
    inputs = NETWORKS[0].inputs(2, 1, 0)
    plain, fast = reference_session(model, 1), OnnxRuntimeSession(model, 1, tmp_path)
    assert plain.facts()["graph optimizations"] == "off"
    assert fast.facts()["graph optimizations"] == "all"
    assert "Relu" in {row.operator for row in plain.profile(inputs, 1)}
    assert "Relu" not in {row.operator for row in fast.profile(inputs, 1)}  # fused into the convolution
    np.testing.assert_allclose(plain.run(inputs)["logits"], fast.run(inputs)["logits"], rtol=0, atol=1e-5)


def test_nothing_is_left_in_scratch(tmp_path: Path) -> None:
    network, quantize = QUANTIZED[0]
    (scratch := tmp_path / "scratch").mkdir()
    session = OnnxRuntime().compile(quantize(network, tmp_path), workload(network), scratch)
    session.profile(network.inputs(1, 1, 0), 2)
    assert list(scratch.iterdir()) == []


def test_a_profile_counts_each_node_once_a_run(tmp_path: Path) -> None:
    session = reference_session(NETWORKS[1].make("onnx", tmp_path), 1)
    rows = {row.operator: row.count for row in session.profile(NETWORKS[1].inputs(1, 5, 0), 4)}
    assert rows["MatMul"] == 5
    assert rows["Softmax"] == 1


def test_its_own_words_are_in_the_error(tmp_path: Path) -> None:
    model = NETWORKS[0].make("onnx", tmp_path)
    model.payload.write_bytes(model.payload.read_bytes().replace(b"GlobalAveragePool", b"GlobalAveragePoop"))
    broken = Model.of("onnx", model.payload, model.signature, model.origin)
    with pytest.raises(EngineError, match=r"onnxruntime cannot compile: .*GlobalAveragePoop"):
        OnnxRuntime().compile(broken, workload(NETWORKS[0]), tmp_path)


def test_bf16_is_refused_with_the_reason() -> None:
    assert "bfloat16" in OnnxRuntime().reads("onnx", frozenset({"float", "bf16"}))
