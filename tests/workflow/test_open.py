import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import speedwell
from speedwell import native
from speedwell.bundle import BundleContents, BundleEvidence, EvidenceRecord, Probe, own_key, write_bundle
from speedwell.core import Availability, Candidate, Hardware, Promise
from speedwell.core.errors import BundleError, BundleVerificationError, EngineUnavailableError
from speedwell.engines import Native, OnnxRuntime, reference_session
from speedwell.testing import engine_models as testing
from speedwell.testing.engine_models import NETWORKS, Network
from speedwell.testing.engines import workload
from speedwell.workflow.open import engine_for


def test_opening_an_onnx_runtime_bundle_imports_no_torch(live_run: Any) -> None:
    code = (
        "import json, sys, numpy, speedwell\n"
        f"fast = speedwell.open({str(live_run.bundle)!r})\n"
        "answer = fast(numpy.zeros((1, 8, 8), numpy.float32))\n"
        "print(json.dumps([answer.index, sorted({n.partition('.')[0] for n in sys.modules})]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    index, modules = json.loads(done.stdout)
    assert 0 <= index < 10
    assert not {"torch", "openvino", "transformers"} & set(modules)


def test_there_is_no_bundle_at_another_place(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no bundle at"):
        speedwell.open(tmp_path / "nowhere")


def test_a_changed_file_is_not_opened(live_run: Any, tmp_path: Path) -> None:
    bundle = live_run.save(tmp_path / "copy")
    model = next(p for p in (bundle / "model").rglob("*") if p.is_file())
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    model.write_bytes(data)
    with pytest.raises(BundleError):
        speedwell.open(bundle)


def test_another_user_s_bundle_needs_the_key_or_a_word(
    live_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPEEDWELL_HOME", str(tmp_path / "another"))
    with pytest.raises(BundleError):
        speedwell.open(live_run.bundle)
    speedwell.open(live_run.bundle, unsigned=True).close()


def native_bundle(folder: Path, off: float = 0.0, beside: Any = None, network: Network = NETWORKS[1]) -> Path:
    """A bundle that the native engine won here; its probe's outputs are the reference's, moved by ``off``."""
    model, inputs, hardware = network.make("onnx", folder), network.inputs(1, 5, 0), Hardware.here()
    outputs = {k: v + v.dtype.type(off) for k, v in reference_session(model, 1).run(inputs).items()}
    contents = BundleContents(
        model=model, candidate=Candidate((), "native"), task="custom", classes=(),
        promise=Promise("accuracy", 0.01, "1pt"), workloads=(workload(network),), original=model.digest, confirmed=True,
        preprocessing=None, speedwell=speedwell.__version__,
        evidence=BundleEvidence(
            EvidenceRecord(0.0, hardware.fingerprint, hardware), {}, Probe(0, inputs, outputs, tolerance=0.01)
        ),
        beside=beside,
    )  # fmt: skip
    return write_bundle(folder / "bundle", contents, own_key())


@pytest.fixture
def lowerings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every lowering by the native engine from now on."""
    made: list[Path] = []
    lower = native.lower

    def counted(onnx: Path, folder: Path) -> object:
        made.append(onnx)
        return lower(onnx, folder)

    monkeypatch.setattr(native, "lower", counted, raising=False)
    return made


def test_a_bundle_opens_by_the_plan_that_it_carries(tmp_path: Path, lowerings: list[Path]) -> None:
    if not Native().availability(Hardware.here()).ok:
        return
    bundle, inputs = native_bundle(tmp_path, beside=native.keep_plan), NETWORKS[1].inputs(2, 7, 1)
    assert (bundle / "model" / "model.onnx.plan" / "plan.json").is_file()
    with speedwell.open(bundle) as fast:
        got = fast.run(inputs)
    assert lowerings == []
    bare = tmp_path / "bare"
    bare.mkdir()
    with speedwell.open(native_bundle(bare)) as fast:
        want = fast.run(inputs)
    assert len(lowerings) == 1
    for name, array in want.items():
        np.testing.assert_array_equal(got[name], array)


def _of_another_file(onnx: Path) -> None:
    """A sound plan of another network, laid where this one's is looked for, with a record that does not fit."""
    other = onnx.with_name("other")
    other.mkdir()
    model = testing.static_int8(NETWORKS[1], other)
    native.keep_plan(model.payload).rename(onnx.with_name(onnx.name + ".plan"))
    shutil.rmtree(other)


def _of_another_version(onnx: Path) -> None:
    record = native.keep_plan(onnx) / "lowered.json"
    record.write_text(record.read_text().replace('"version": 1', '"version": 99'))


@pytest.mark.parametrize("beside", [_of_another_file, _of_another_version])
def test_a_plan_that_does_not_belong_to_the_model_is_not_used(
    tmp_path: Path, lowerings: list[Path], beside: Any
) -> None:
    if not Native().availability(Hardware.here()).ok:
        return
    bundle, inputs = native_bundle(tmp_path, beside=beside), NETWORKS[1].inputs(2, 7, 1)
    with speedwell.open(bundle) as fast:
        got = fast.run(inputs)
    assert len(lowerings) == 1
    want = reference_session(NETWORKS[1].make("onnx", tmp_path), 1).run(inputs)
    np.testing.assert_allclose(got["logits"], want["logits"], rtol=0, atol=1e-5)


def test_a_changed_plan_is_a_changed_bundle(tmp_path: Path) -> None:
    bundle = native_bundle(tmp_path, beside=native.keep_plan)
    plan = bundle / "model" / "model.onnx.plan" / "plan.json"
    plan.write_text(plan.read_text().replace("layer_norm", "Softmax"))
    with pytest.raises(BundleError):
        speedwell.open(bundle)


def test_what_the_native_engine_here_cannot_run_onnx_runtime_does_and_it_is_said(tmp_path: Path) -> None:
    """Won by a later Speedwell, with operators that this one does not have."""
    if not Native().availability(Hardware.here()).ok:
        return
    bundle = native_bundle(tmp_path, network=NETWORKS[0])  # convolutions
    with pytest.warns(UserWarning, match=r"runs on onnxruntime.*cannot run this bundle \(unsupported: Conv"):
        fast = speedwell.open(bundle)
    with fast:
        assert fast.facts()["provider"] == "CPUExecutionProvider"


@pytest.fixture
def not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which the native engine could not be compiled."""
    monkeypatch.setattr(Native, "availability", lambda *_: Availability(False, why_not="it is not built"))


def test_a_bundle_of_the_native_engine_opens_on_it(tmp_path: Path) -> None:
    if Native().availability(Hardware.here()).ok:
        with speedwell.open(native_bundle(tmp_path)) as fast:
            assert fast.facts()["provider"] == "speedwell"
            assert fast.notes == ()


@pytest.mark.usefixtures("not_built")
def test_where_the_native_engine_is_not_built_onnx_runtime_stands_in_and_it_is_said(tmp_path: Path) -> None:
    bundle, inputs = native_bundle(tmp_path), NETWORKS[1].inputs(2, 7, 1)
    with pytest.warns(UserWarning, match=r"runs on onnxruntime.*it is not built"):
        fast = speedwell.open(bundle)
    with fast:
        assert fast.facts()["provider"] == "CPUExecutionProvider"
        got = fast.run(inputs)
    want = reference_session(NETWORKS[1].make("onnx", tmp_path), 1).run(inputs)
    np.testing.assert_allclose(got["logits"], want["logits"], rtol=0, atol=1e-5)


@pytest.mark.usefixtures("not_built")
def test_an_engine_that_stands_in_must_give_the_answers_that_were_measured(tmp_path: Path) -> None:
    with pytest.raises(BundleVerificationError, match="on this engine the outputs differ"):
        speedwell.open(native_bundle(tmp_path, off=1.0))


@pytest.mark.usefixtures("not_built")
def test_no_engine_stands_in_for_one_that_can_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert engine_for("onnxruntime", Hardware.here()) == ("onnxruntime", "")
    monkeypatch.setattr(OnnxRuntime, "availability", lambda *_: Availability(False, why_not="it is gone"))
    for name in ("native", "onnxruntime"):
        with pytest.raises(EngineUnavailableError, match="this bundle runs on"):
            engine_for(name, Hardware.here())
