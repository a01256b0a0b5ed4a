from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

import speedwell
from speedwell import native
from speedwell.bundle import BundleContents, BundleEvidence, EvidenceRecord, own_key, write_bundle
from speedwell.core import Candidate, Hardware, Promise
from speedwell.core.errors import (
    BundleError,
    EngineUnavailableError,
    InputMismatchError,
    ModelNotFoundError,
    UnsupportedError,
    UnsupportedModelError,
    UsageError,
)
from speedwell.native import engine as native_engine
from speedwell.testing.engine_models import NETWORKS, static_int8
from speedwell.testing.engines import workload
from speedwell.workflow.explain import explain_plan

IMAGES, TEXTS = NETWORKS
built = pytest.mark.skipif(not native.available()[0], reason="the native engine is not built")


def bundle_of(folder: Path, engine: str, carries: bool = False) -> Path:
    model, hardware = static_int8(TEXTS, folder), Hardware.here()
    contents = BundleContents(
        model=model, candidate=Candidate((), engine), task="custom", classes=(),
        promise=Promise("accuracy", 0.01, "1pt"), workloads=(workload(TEXTS),), original=model.digest, confirmed=True,
        preprocessing=None, evidence=BundleEvidence(EvidenceRecord(0.0, hardware.fingerprint, hardware), {}, None),
        speedwell=speedwell.__version__, beside=native.keep_plan if carries else None,
    )  # fmt: skip
    return write_bundle(folder / f"bundle {engine} {carries}", contents, own_key())


@built
def test_a_file_a_plan_and_a_bundle_of_one_network_are_one_plan(tmp_path: Path) -> None:
    model = static_int8(TEXTS, tmp_path)
    native.lower(model.payload, tmp_path / "plan")
    shapes = {"input_ids": (1, 9)}
    paths = (model.payload, tmp_path / "plan", bundle_of(tmp_path, "native"), bundle_of(tmp_path, "native", True))
    file, plan, lowered, carried = (explain_plan(path, shapes, threads=1) for path in paths)
    for other in (plan, lowered, carried):
        assert [(o.kind, o.outputs, o.mean_run) for o in other.operators] == [
            (o.kind, o.outputs, o.mean_run) for o in file.operators
        ]
    assert file.source == str(model.payload)
    assert file.lowered_seconds
    assert lowered.lowered_seconds
    assert plan.lowered_seconds is None
    assert carried.lowered_seconds is None
    assert "the plan that it carries" in carried.source


@built
def test_it_leaves_nothing_behind_and_writes_nothing_beside_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (scratch := tmp_path / "scratch").mkdir()
    model = TEXTS.make("onnx", tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    explain_plan(model.payload, threads=1)
    with pytest.raises(UnsupportedError):
        explain_plan(IMAGES.make("onnx", tmp_path).payload)
    assert not list(scratch.iterdir())
    assert {p.name for p in tmp_path.iterdir()} == {"scratch", "attention.onnx", "convolution.onnx"}


@built
def test_every_core_is_used_unless_another_number_is_asked_for(tmp_path: Path) -> None:
    model = TEXTS.make("onnx", tmp_path)
    assert explain_plan(model.payload).threads == Hardware.here().cores
    assert explain_plan(model.payload, threads=1, isa="scalar").isa == "scalar"


@built
def test_what_it_cannot_explain_is_said_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="nothing at"):
        explain_plan(tmp_path / "model.onnx")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(UnsupportedModelError, match="no ONNX file"):
        explain_plan(tmp_path / "notes.txt")
    with pytest.raises(UnsupportedModelError, match="neither a plan nor a bundle") as neither:
        explain_plan(tmp_path)
    assert "a bundle" in neither.value.fix
    with pytest.raises(UnsupportedError, match=r"^unsupported: Conv"):
        explain_plan(IMAGES.make("onnx", tmp_path).payload)
    model = TEXTS.make("onnx", tmp_path)
    with pytest.raises(InputMismatchError, match="input_ids has 2 axes"):
        explain_plan(model.payload, {"input_ids": (1, 2, 3)}, threads=1)
    with pytest.raises(UsageError, match="sse") as isa:
        explain_plan(model.payload, isa="sse")
    assert "scalar" in isa.value.fix
    for threads in (-1, 65):
        with pytest.raises(UsageError, match=str(threads)):
            explain_plan(model.payload, threads=threads)
    model.payload.write_bytes(model.payload.read_bytes()[:200])
    with pytest.raises(UnsupportedModelError):
        explain_plan(model.payload)


@built
def test_a_bundle_of_another_engine_has_no_plan_and_its_file_is_named(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path, "onnxruntime")
    with pytest.raises(UnsupportedModelError, match="runs on onnxruntime") as caught:
        explain_plan(bundle)
    assert f"speedwell explain plan {bundle / 'model/model.onnx'}" in caught.value.fix
    assert explain_plan(bundle / "model" / "model.onnx", threads=1).products


@built
def test_a_bundle_is_verified_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = bundle_of(tmp_path, "native", carries=True)
    broken = shutil.copytree(bundle, tmp_path / "broken")
    (broken / "model" / "model.onnx.plan" / "plan.json").write_text("{}")
    with pytest.raises(BundleError):
        explain_plan(broken)
    monkeypatch.setenv("SPEEDWELL_HOME", str(tmp_path / "another"))
    with pytest.raises(BundleError):
        explain_plan(bundle)
    assert explain_plan(bundle, unsigned=True, threads=1).operators


def test_without_the_engine_it_says_how_to_build_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_engine, "_load", lambda: (None, native_engine.NOT_BUILT))
    with pytest.raises(EngineUnavailableError, match="not built") as caught:
        explain_plan(tmp_path / "model.onnx")
    assert "pip install" in caught.value.fix
    assert "make native" in caught.value.fix
