from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from speedwell.core import Hardware, Model
from speedwell.core.errors import EngineError
from speedwell.engines import OpenVino, openvino
from speedwell.testing.engine_models import NETWORKS
from speedwell.testing.engines import EngineConformance, QuantizedConformance, workload


class TestConformance(EngineConformance):
    engine = OpenVino()


class TestQuantizedGraphs(QuantizedConformance):
    engine = OpenVino()


def test_shapes_are_static_where_only_the_batch_is_a_symbol(tmp_path: Path) -> None:
    shapes = []
    for network in NETWORKS:
        session = OpenVino().compile(network.make("onnx", tmp_path), workload(network), tmp_path)
        shapes.append(session.facts()["shapes"])
    assert shapes == ["static", "dynamic"]


def test_another_batch_is_compiled_once_and_the_workload_s_batch_stays(tmp_path: Path) -> None:
    network = NETWORKS[0]
    session = OpenVino().compile(network.make("onnx", tmp_path), workload(network, batch=2), tmp_path)
    alone = session.run(network.inputs(1, 1, 3))["logits"]
    other = session._other
    assert other is not None
    session.run(network.inputs(5, 1, 3))
    assert session._other is other
    assert session.facts()["shapes"] == "static"
    pair = session.run({"image": np.repeat(network.inputs(1, 1, 3)["image"], 2, axis=0)})["logits"]
    np.testing.assert_allclose(pair, np.repeat(alone, 2, axis=0), rtol=0, atol=1e-5)


def test_bf16_is_either_refused_with_the_reason_or_really_runs(tmp_path: Path) -> None:
    network = NETWORKS[0]
    model = network.make("onnx", tmp_path).with_traits("bf16")
    if not Hardware.here().has_bf16:
        with pytest.raises(EngineError, match="avx512_bf16"):
            OpenVino().compile(model, workload(network), tmp_path)
        return
    session = OpenVino().compile(model, workload(network), tmp_path)
    assert session.facts()["precision"] == "bf16"
    assert session.facts()["bf16 layers"] == "3 of 3"
    plain = OpenVino().compile(network.make("onnx", tmp_path), workload(network), tmp_path)
    assert plain.facts()["precision"] == "float32"
    inputs = network.inputs(1, 1, 0)
    assert 0 < np.abs(session.run(inputs)["logits"] - plain.run(inputs)["logits"]).max() < 0.05


def test_a_bf16_model_of_which_no_layer_runs_in_bf16_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = NETWORKS[0]
    model = network.make("onnx", tmp_path).with_traits("bf16")
    monkeypatch.setattr(openvino, "no_bf16", lambda hardware: "")  # noqa: ARG005
    monkeypatch.setattr(openvino.OpenVinoSession, "_layers", lambda self: {"float32": 3})  # noqa: ARG005
    with pytest.raises(EngineError, match="runs none of its 3 layers"):
        OpenVino().compile(model, workload(network), tmp_path)


def test_its_own_words_are_in_the_error(tmp_path: Path) -> None:
    model = NETWORKS[0].make("onnx", tmp_path)
    model.payload.write_bytes(model.payload.read_bytes().replace(b"GlobalAveragePool", b"GlobalAveragePoop"))
    broken = Model.of("onnx", model.payload, model.signature, model.origin)
    with pytest.raises(EngineError, match=r"openvino cannot compile: .*GlobalAveragePoop"):
        OpenVino().compile(broken, workload(NETWORKS[0]), tmp_path)


def test_the_module_that_sends_statistics_is_never_imported() -> None:
    code = (
        "import sys; from speedwell.engines.openvino import _library; _library().Core()\n"
        "print([m for m in sys.modules if m.startswith('openvino_telemetry')])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert answer.stdout.strip() == "[]"


def test_ctrl_c_after_two_sessions_ended_in_the_order_of_their_beginning(tmp_path: Path) -> None:
    code = (
        "import gc, os, signal, sys\n"
        "from pathlib import Path\n"
        "from speedwell.engines import OpenVino\n"
        "from speedwell.testing.engine_models import NETWORKS\n"
        "from speedwell.testing.engines import workload\n"
        "model, work = NETWORKS[0].make('onnx', Path(sys.argv[1])), workload(NETWORKS[0])\n"
        "first = OpenVino().compile(model, work, Path(sys.argv[1]))\n"
        "second = OpenVino().compile(model, work, Path(sys.argv[1]))\n"
        "first.close(); del first; gc.collect()\n"
        "second.close(); del second; gc.collect()\n"
        "try:\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (answer.returncode, answer.stdout.strip()) == (0, "interrupted"), answer.stderr


def test_a_machine_that_it_has_no_build_for_is_named() -> None:
    answer = OpenVino().availability(replace(Hardware.here(), architecture="riscv64"))
    assert not answer.ok
    assert "riscv64" in answer.why_not
