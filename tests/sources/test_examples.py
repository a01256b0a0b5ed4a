from __future__ import annotations

import csv
import gzip
import importlib.util
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from speedwell.sources import build_module, complete_signature, load_model
from speedwell.testing.sources import outputs_of

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True)
def _own_path(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))


def opened(name, tmp_path):
    return load_model(f"{EXAMPLES / name}", None, tmp_path / "s")


def script(name):
    """The example as a module, so that its commands run in this process."""
    spec = importlib.util.spec_from_file_location(f"example_{name.removesuffix('.py')}", EXAMPLES / name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda p: p.name)
def test_an_example_is_short_and_names_no_place_of_ours(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 80
    assert "/work" not in text


def test_resnet20_has_the_published_layout(tmp_path):
    image = {"image": np.random.default_rng(0).standard_normal((2, 3, 32, 32)).astype(np.float32)}
    model = complete_signature(opened("resnet20_cifar.py:build", tmp_path), image)
    module = build_module(model)
    assert sum(p.numel() for p in module.parameters()) == 269_722
    assert outputs_of(model, image)["output"].shape == (2, 10)
    assert model.origin.hints["image"]["std"] == [0.229, 0.224, 0.225]
    assert len(model.origin.hints["classes"]) == 10


def test_minilm_ignores_padding_and_names_its_classes(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "head.npz", weight=rng.standard_normal((3, 384)).astype(np.float32),
             bias=np.zeros(3, np.float32), classes=np.array(["a", "b", "c"]))  # fmt: skip
    monkeypatch.setenv("SPEEDWELL_HEAD", str(tmp_path / "head.npz"))
    ids = np.array([[101, 7592, 2088, 102, 0, 0]])
    texts = {"input_ids": ids, "attention_mask": (ids > 0).astype(np.int64)}
    model = complete_signature(opened("minilm_clinc.py:build", tmp_path), texts)
    assert model.origin.hints["classes"] == ["a", "b", "c"]
    assert Path(model.origin.hints["text"]["tokenizer"]).is_file()
    assert model.signature.inputs[0].shape == ("batch", "sequence")
    bare = {name: value[:, :4] for name, value in texts.items()}
    np.testing.assert_allclose(outputs_of(model, texts)["output"], outputs_of(model, bare)["output"], atol=1e-5)


def test_minilm_writes_its_texts_as_csv(tmp_path):
    data = {"train": [["pay, please", "pay"]], "test": [['say "hi"', "greet"]], "oos_test": [["x", "oos"]]}
    with gzip.open(tmp_path / "d.json.gz", "wt") as file:
        json.dump(data, file)
    script("minilm_clinc.py").main(tmp_path / "d.json.gz", tmp_path / "out")
    with (tmp_path / "out" / "test.csv").open(newline="") as file:
        assert list(csv.DictReader(file)) == [{"text": 'say "hi"', "label": "greet"}]


@pytest.mark.slow
# the exporter uses what torch and copyreg have deprecated
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_efficientnet_answers_alike_as_a_factory_and_as_onnx(tmp_path):
    image = {"inputs": np.random.default_rng(0).standard_normal((2, 3, 224, 224)).astype(np.float32)}
    model = complete_signature(opened("efficientnet_lite0.py:build", tmp_path), image)
    script("efficientnet_lite0.py").onnx(str(tmp_path / "lite0.onnx"))
    exported = load_model(str(tmp_path / "lite0.onnx"), None, tmp_path / "o")
    assert exported.signature.inputs[0].shape == model.signature.inputs[0].shape == ("batch", 3, 224, 224)
    (want,), (got,) = outputs_of(model, image).values(), outputs_of(exported, image).values()
    np.testing.assert_allclose(got, want, atol=1e-4)


@pytest.mark.slow
def test_efficientnet_gets_a_head_fitted_on_images(tmp_path, monkeypatch):
    blobs = []
    for i in range(12):
        with io.BytesIO() as file:
            Image.new("RGB", (32, 32), (255 * (i % 2), 0, 100)).save(file, "JPEG")
            blobs.append(np.frombuffer(file.getvalue(), np.uint8))
    offsets = np.cumsum([0, *map(len, blobs)])
    np.savez(tmp_path / "train.npz", blob=np.concatenate(blobs), offsets=offsets, labels=np.arange(12) % 3)
    script("efficientnet_lite0.py").fit(tmp_path / "train.npz", tmp_path / "head.safetensors", 12)
    assert load_file(tmp_path / "head.safetensors")["weight"].shape == (3, 1280)
    monkeypatch.setenv("SPEEDWELL_HEAD", str(tmp_path / "head.safetensors"))
    assert build_module(opened("efficientnet_lite0.py:build_cifar", tmp_path))._fc.out_features == 3
