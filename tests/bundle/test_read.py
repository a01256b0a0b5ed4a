from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from safetensors.numpy import save_file

from speedwell.bundle import BundleContents, read_evidence, unpack_bundle, verify_bundle, write_bundle
from speedwell.core import Evidence, Model, Origin, TorchPayload, dumps, loads
from speedwell.core.errors import BundleVerificationError, OutputError
from speedwell.core.matches import LEVELS, Matches

from .conftest import SIGNATURE, contents_of


def test_an_unpacked_bundle_is_a_model_and_its_preprocessing(tmp_path: Path, contents: BundleContents) -> None:
    bundle = write_bundle(tmp_path / "bundle", contents)
    scratch = tmp_path / "scratch"
    unpacked = unpack_bundle(bundle, verify_bundle(bundle), scratch)
    assert unpacked.preprocessing is not None
    assert (unpacked.preprocessing / "transform.json").is_file()
    assert unpacked.model.signature == contents.model.signature
    assert unpacked.model.traits == contents.model.traits
    assert unpacked.model.origin.hints["classes"] == list(contents.classes)
    shutil.rmtree(bundle)
    y = onnxruntime.InferenceSession(unpacked.model.payload).run(None, {"x": np.ones((1, 4), np.float32)})[0]
    assert y.shape == (1, 3)


def test_what_changes_after_the_check_is_not_used(tmp_path: Path, contents: BundleContents) -> None:
    bundle = write_bundle(tmp_path / "bundle", contents)
    manifest = verify_bundle(bundle)
    weights = bundle / "model" / "model.onnx"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(BundleVerificationError, match=r"model/model\.onnx"):
        unpack_bundle(bundle, manifest, tmp_path / "scratch")
    assert not (tmp_path / "scratch" / "model" / "model.onnx").exists()
    weights.unlink()
    weights.symlink_to(tmp_path / "elsewhere")
    with pytest.raises((BundleVerificationError, OutputError)):
        unpack_bundle(bundle, manifest, tmp_path / "scratch-2")


def test_scratch_that_cannot_be_written_is_a_typed_error(tmp_path: Path, contents: BundleContents) -> None:
    bundle = write_bundle(tmp_path / "bundle", contents)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot unpack"):
        unpack_bundle(bundle, verify_bundle(bundle), tmp_path / "file")


def test_a_torch_form_gets_the_folders_of_this_machine_back(tmp_path: Path) -> None:
    payload = tmp_path / "payload"
    payload.mkdir()
    save_file({"w": np.zeros(3, np.float32)}, payload / "weights.safetensors")
    (payload / "module.json").write_text(dumps(TorchPayload("factory", "nets:build", ("/home/ada",))))
    model = Model.of("torch", payload, SIGNATURE, Origin("factory", "/home/ada/nets.py:build", {"torch": "2.13"}))
    bundle = write_bundle(tmp_path / "bundle", contents_of(model))
    manifest = verify_bundle(bundle)
    assert manifest.versions == {"torch": "2.13"}
    assert manifest.reference == "nets.py:build"
    scratch = tmp_path / "scratch"
    unpacked = unpack_bundle(bundle, manifest, scratch, search_path=("here",))
    assert unpacked.preprocessing is None
    module = loads(TorchPayload, (unpacked.model.payload / "module.json").read_text())
    assert module == TorchPayload("factory", "nets:build", ("here",))


def test_tampered_evidence_is_a_typed_error(tmp_path: Path, contents: BundleContents) -> None:
    bundle = write_bundle(tmp_path / "bundle", contents)
    path = bundle / "evidence" / "scores.npz"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(BundleVerificationError, match=r"scores\.npz"):
        read_evidence(bundle)


def test_matches_of_a_detector_are_kept_without_where_things_lie(tmp_path: Path, contents: BundleContents) -> None:
    matches = Matches(
        LEVELS, np.arange(2), np.array([0, 1, 2]), np.array([0.5, 0.9], np.float32), np.array([0, 1], np.int32),
        np.array([1023, 1], np.uint16), np.zeros(2, np.uint16), np.ones((2, 4), np.float32), np.array([0, 1, 1]),
        np.array([0], np.int32),
    )  # fmt: skip
    given = Evidence("matches", np.array([1.0, 0.1]), np.zeros(0, np.int64), matches)
    evidence = replace(contents.evidence, scores={"original": given})
    bundle = write_bundle(tmp_path / "bundle", replace(contents, evidence=evidence))
    back = read_evidence(bundle).scores["original"]
    assert (back.kind, back.metric()) == ("matches", given.metric())
    assert back.matches is not None
    assert back.matches.boxes.shape == (0, 4)
