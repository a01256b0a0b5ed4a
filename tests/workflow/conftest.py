"""Puts this folder on ``sys.path`` for ``small_world``; a home of its own for the signing key; runs that many share."""

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import small_world as w

import speedwell


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return w.make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder: what a failed verb leaves behind shows here."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def live_run(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A live ``nn.Module`` and an iterable of (array, label), accelerated from Python."""
    import torch
    from safetensors.torch import load_file

    namespace: dict[str, Any] = {"__name__": "notebook"}
    exec((world / "code" / "digit_reader.py").read_text(), namespace)
    module = namespace["build"]()
    module.load_state_dict(load_file(world / "code" / "digit_reader.safetensors"))
    pixels, labels = w.digits()
    pairs = [(torch.from_numpy(p[None] / 255).float(), int(t)) for p, t in zip(pixels[400:], labels[400:], strict=True)]
    folder = tmp_path_factory.mktemp("live")
    return speedwell.accelerate(
        module.eval(), data=pairs, task="image-classification", out=folder / "bundle", run=folder / "run",
        engines=("onnxruntime",), passes=("to_onnx",), **w.QUICK,
    )  # fmt: skip


@pytest.fixture(scope="session")
def folder_run(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An ONNX file and a folder of images, accelerated from Python."""
    folder = tmp_path_factory.mktemp("folder")
    return speedwell.accelerate(
        world / "reader.onnx", data=world / "scans", run=folder / "run", engines=("onnxruntime", "openvino"),
        passes=("fuse", "quantize_static"), **w.QUICK, **w.IMAGES,
    )  # fmt: skip


@pytest.fixture(scope="session")
def text_run(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A text network and a csv of texts."""
    folder = tmp_path_factory.mktemp("text")
    return speedwell.accelerate(
        world / "intent.onnx", data=world / "texts.csv", tokenizer=str(world / "tokenizer.json"), run=folder / "run",
        engines=("onnxruntime",), passes=("fuse",), **w.QUICK,
    )  # fmt: skip
