from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from speedwell.bundle import BundleContents, BundleEvidence, EvidenceRecord, Probe, SigningKey, own_key
from speedwell.core import (
    AccuracyClaim,
    AccuracyVerdict,
    Candidate,
    Confirmation,
    Evidence,
    Hardware,
    Model,
    Origin,
    Promise,
    Signature,
    Step,
    TensorSpec,
    Timing,
    Workload,
)

SIGNATURE = Signature((TensorSpec("x", "float32", ("batch", 4)),), (TensorSpec("y", "float32", ("batch", 3)),))


def onnx_model(folder: Path, note: str = "", seed: int = 0) -> Model:
    weight = np.random.default_rng(seed).standard_normal((4, 3)).astype(np.float32)
    node = helper.make_node("MatMul", ["x", "w"], ["y"], name="/layer/MatMul", doc_string=note)
    graph = helper.make_graph(
        [node],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(weight, "w")],
        doc_string=note,
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    proto.ir_version = 8
    if note:
        helper.set_model_props(proto, {"source": note})
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(proto, folder / "net.onnx")
    return Model.of("onnx", folder / "net.onnx", SIGNATURE, Origin("onnx", "/home/somebody/nets/net.onnx"))


def contents_of(model: Model, preprocessing: Path | None = None, **changes: object) -> BundleContents:
    workload = Workload(1, 2, {"x": (1, 4)})
    claim = AccuracyClaim(AccuracyVerdict.KEPT, 0.9, 0.89, -0.008, 0.01, 1500, "tango", n12=3, n21=18)
    candidate = Candidate((Step("quantize_static", {"method": "mse"}),), "onnxruntime")
    record = EvidenceRecord(
        created=1.5e9,
        fingerprint="f" * 16,
        hardware=Hardware("cpu", "x86_64", 2, 1 << 30, ("avx2",), "performance", "Linux 6", "3.11", {"numpy": "2"}),
        confirmation=Confirmation(candidate, claim, (), True, "kept, see /home/somebody/run/ledger.jsonl"),
        timings=(Timing(workload, ((0.02, 0.03),), ((0.01, 0.01),)),),
    )
    x = np.ones((1, 4), np.float32)
    evidence = BundleEvidence(
        record,
        {
            "original": Evidence("binary", np.array([1.0, 0.0]), np.array([2, 1])),
            "winner": Evidence("binary", np.array([1.0, 1.0]), np.array([2, 0])),
        },
        Probe(7, {"x": x}, {"y": np.zeros((1, 3), np.float32)}, 0.05),
    )
    made = BundleContents(
        model=model,
        candidate=candidate,
        task="image-classification",
        classes=("cat", "dog", "/home/decor"),
        promise=Promise("accuracy", 0.01, "1pt"),
        workloads=(workload,),
        original="0" * 64,
        confirmed=True,
        preprocessing=preprocessing,
        evidence=evidence,
        speedwell="0.1.0",
    )
    return dataclasses.replace(made, **changes)


@pytest.fixture
def contents(tmp_path: Path) -> BundleContents:
    preprocessing = tmp_path / "preprocessing"
    preprocessing.mkdir()
    (preprocessing / "transform.json").write_text('{"schema": 1, "kind": "array"}\n')
    return contents_of(onnx_model(tmp_path / "product"), preprocessing)


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    return own_key(tmp_path_factory.mktemp("home"))
