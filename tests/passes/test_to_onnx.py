from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from speedwell.core.errors import PassError, PromiseError
from speedwell.passes import ToOnnx, to_onnx
from speedwell.testing.pass_models import NETWORKS, Network
from speedwell.testing.passes import PassConformance, case_of

BY_NAME = {n.name: n for n in NETWORKS}


class TestConformance(PassConformance):
    passes = (ToOnnx(),)
    networks = (BY_NAME["mobile"], BY_NAME["bert"])


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, x):
        return self.linear(x)


TINY = Network("tiny", Tiny, lambda b, _, seed: {"x": np.random.default_rng(seed).random((b, 4), np.float32)})


def dimensions(path):
    graph = onnx.load(path).graph
    return {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in graph.input}


def test_symbols_stay_dynamic_and_names_are_the_signatures(tmp_path):
    case = case_of(ToOnnx(), TINY, tmp_path)
    assert dimensions(case.after.payload) == {"x": ["batch", 4]}
    assert [o.name for o in onnx.load(case.after.payload).graph.output] == ["output"]


def fails(*_):
    raise RuntimeError("not today, /home/somebody/secret.py")


def test_second_exporter_takes_over_and_the_file_says_so(tmp_path, monkeypatch):
    only = {"dynamo": fails, "torchscript": to_onnx.EXPORTERS["torchscript"]}
    monkeypatch.setattr(to_onnx, "EXPORTERS", only)
    case = case_of(ToOnnx(), TINY, tmp_path)
    notes = {p.key: p.value for p in onnx.load(case.after.payload).metadata_props}
    assert notes == {to_onnx.NOTE: "torchscript (after 1 failed)"}
    assert dimensions(case.after.payload) == {"x": ["batch", 4]}


def test_the_error_has_the_words_of_every_exporter(tmp_path, monkeypatch):
    monkeypatch.setattr(to_onnx, "EXPORTERS", {"dynamo": fails, "torchscript": fails})
    with pytest.raises(PassError, match=r"dynamo: RuntimeError: not today.*torchscript: RuntimeError: not today"):
        case_of(ToOnnx(), TINY, tmp_path)


def test_an_export_that_computes_something_else_is_caught(tmp_path, monkeypatch):
    def other(module, tensors, signature, path):
        with torch.no_grad():
            module.module.linear.bias.add_(0.01)
        to_onnx.EXPORTERS["torchscript"](module, tensors, signature, path)

    monkeypatch.setattr(to_onnx, "EXPORTERS", {**to_onnx.EXPORTERS, "dynamo": other})
    with pytest.raises(PromiseError, match="changed output 'output'"):
        case_of(ToOnnx(), TINY, tmp_path)


def test_nothing_is_printed_or_warned(tmp_path, capfd):
    case_of(ToOnnx(), TINY, tmp_path)
    heard = capfd.readouterr()
    assert (heard.out, heard.err) == ("", "")


def test_choices_are_for_the_torch_form_only(tmp_path):
    model = TINY.make("torch", tmp_path)
    assert ToOnnx.choices(model, None)
    assert ToOnnx.choices(dataclasses.replace(model, form="onnx"), None) == ()
