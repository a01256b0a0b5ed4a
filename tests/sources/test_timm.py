from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from speedwell.core.errors import MissingExtraError, ModelNotFoundError, UnsupportedModelError, UsageError
from speedwell.sources import build_module
from speedwell.sources.timm import Timm
from speedwell.testing.sources import Made, SourceConformance

# timm needs torchvision, which does not import beside the CPU build of torch: a small library with timm's functions
# stands in for it here; the real one is run in an environment of its own
STAND_IN = """
import torch

NAMES = {"tinynet": 3}

class Tiny(torch.nn.Module):
    pretrained_cfg = {"classifier": "fc", "input_size": (3, 8, 8), "crop_pct": 0.5, "mean": (0.1, 0.2, 0.3),
                      "std": (1.0, 1.0, 1.0), "interpolation": "bicubic"}
    def __init__(self, num_classes):
        super().__init__()
        self.fc = torch.nn.Linear(3, num_classes)
    def forward(self, x):
        return self.fc(x.mean((2, 3)))

def is_model(name):
    return name in NAMES

def list_models(pattern=""):
    return ["tinynet"]

def create_model(name, pretrained, num_classes=1000):
    assert pretrained is False
    return Tiny(num_classes)
"""


@pytest.fixture
def _stand_in(tmp_path, monkeypatch):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "timm.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(tmp_path / "lib")
    yield
    sys.modules.pop("timm", None)


def save(path, classes=5):
    torch.manual_seed(0)
    head = torch.nn.Linear(3, classes)
    save_file({"fc.weight": head.weight.detach(), "fc.bias": head.bias.detach()}, path)
    return path


@pytest.mark.usefixtures("_stand_in")
class TestTimm(SourceConformance):
    def source(self):
        return Timm()

    def make(self, folder):
        folder.mkdir(exist_ok=True)
        path = save(folder / "w.safetensors")
        return Made(f"timm:tinynet@{path}", {"x": np.ones((2, 3, 8, 8), np.float32)})


@pytest.mark.usefixtures("_stand_in")
def test_classes_and_preprocessing_are_read(tmp_path):
    model = Timm().load(f"timm:tinynet@{save(tmp_path / 'w.safetensors')}", None, tmp_path / "s")
    assert build_module(model).fc.out_features == 5
    assert model.origin.hints["image"] == {
        "size": [8, 8], "resize": "shortest", "resize_to": 16, "crop": "center", "interpolation": "bicubic",
        "layout": "nchw", "colour": "rgb", "mean": [0.1, 0.2, 0.3], "std": [1.0, 1.0, 1.0],
    }  # fmt: skip


@pytest.mark.usefixtures("_stand_in")
def test_a_state_dict_is_taken_as_well(tmp_path):
    torch.save(
        {"state_dict": dict(torch.nn.ModuleDict({"fc": torch.nn.Linear(3, 7)}).state_dict())}, tmp_path / "w.pth"
    )
    model = Timm().load("timm:tinynet", tmp_path / "w.pth", tmp_path / "s")
    assert build_module(model).fc.out_features == 7
    assert sorted(p.name for p in model.payload.iterdir()) == ["module.json", "weights.safetensors"]


@pytest.mark.usefixtures("_stand_in")
@pytest.mark.parametrize(
    ("reference", "error", "words"),
    [
        ("timm:tinynet", UsageError, "fetches none"),
        ("timm:hf-hub:someone/net@w.safetensors", UsageError, "no timm name"),
        ("timm:@w.safetensors", UsageError, "no timm name"),
        ("timm:tinynet@gone.safetensors", ModelNotFoundError, "gone"),
        ("timm:hugenet@w.safetensors", UnsupportedModelError, "knows no network 'hugenet'"),
    ],
)
def test_what_is_wrong_with_the_name_is_said(tmp_path, monkeypatch, reference, error, words):
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "w.safetensors")
    with pytest.raises(error, match=words):
        Timm().load(reference, None, tmp_path / "s")


def test_without_timm_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MissingExtraError, match=r'pip install "speedwell\[vision\]"'):
        Timm().load(f"timm:tinynet@{save(tmp_path / 'w.safetensors')}", None, tmp_path / "s")
