from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from speedwell.core import TorchPayload
from speedwell.core.errors import UnsupportedModelError, WeightsMismatchError
from speedwell.sources.live import save_live
from speedwell.sources.payload import write_payload
from speedwell.sources.rebuild import BUILDERS, build_module
from speedwell.sources.weights import save_tensors


@pytest.fixture
def model(tmp_path):
    return save_live(torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout()), tmp_path)


def test_a_rebuilt_module_is_ready_to_answer(model):
    module = build_module(model)
    assert not any(m.training for m in module.modules())
    assert not any(p.requires_grad for p in module.parameters())


def test_the_weights_file_decides_not_what_the_builder_made(model):
    save_tensors({"0.weight": torch.eye(2), "0.bias": torch.zeros(2)}, model.payload / "weights.safetensors")
    assert torch.equal(build_module(model)(torch.ones(1, 2)), torch.ones(1, 2))
    save_tensors({"0.weight": torch.eye(2)}, model.payload / "weights.safetensors")
    with pytest.raises(WeightsMismatchError, match=r"0\.bias"):
        build_module(model)


def test_unknown_builders_and_forms_are_refused(model):
    write_payload(model.payload, TorchPayload("magic", "x"))
    with pytest.raises(UnsupportedModelError, match=f"'magic'[\\s\\S]*{', '.join(BUILDERS)}"):
        build_module(model)
    with pytest.raises(UnsupportedModelError, match="onnx form"):
        build_module(replace(model, form="onnx"))
