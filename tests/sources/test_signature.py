from __future__ import annotations

import sys

import numpy as np
import pytest

from speedwell.core.errors import InputMismatchError, UnsupportedModelError
from speedwell.sources import forward_parameters
from speedwell.sources.factory import Factory
from speedwell.sources.signature import complete_signature, match_inputs

TEXT = """
import torch
N = torch.nn

class Base(N.Module):
    def __init__(self):
        super().__init__()
        self.embed = N.Embedding(50, 4)

class Pooled(Base):
    def forward(self, input_ids, attention_mask):
        x = self.embed(input_ids) * attention_mask[..., None]
        return x.mean(1)

class Tokens(Base):
    def forward(self, input_ids, attention_mask=None, token_type_ids=None, labels=None):
        x = self.embed(input_ids)
        return {"tokens": x, "pooled": x.mean(1), "cls": (x[:, 0], torch.cat([x, x[:, :1]], 1))}

class Short(Base):
    def forward(self, input_ids):
        if input_ids.shape[1] != 6: raise ValueError("six words, please")
        return self.embed(input_ids)

class Features(Base):
    def __init__(self):
        super().__init__()
        self.fc = N.Linear(24, 2)
    def forward(self, columns):
        return self.fc(self.embed(columns).flatten(1))

class One(N.Module):
    def forward(self, image):
        return image.reshape(2, -1)[:, :5] if image.shape[0] == 2 else torch.zeros(1, 2).reshape(9)

class Nothing(N.Module):
    def forward(self, image):
        return None

class Grid(N.Module):
    def forward(self, image):
        return image.mean(1), image.sum((2, 3)).to(torch.int64)
"""
IDS = np.arange(12).reshape(2, 6)
MASK = np.ones((2, 6), np.int64)
PICTURE = np.ones((2, 3, 8, 8), np.float32)


@pytest.fixture
def opened(write_code, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    path = write_code(TEXT, "net_sig.py", base="")
    return lambda name: Factory().load(f"{path}:{name}", None, tmp_path / "s")


def shapes(model):
    s = model.signature
    return {t.name: t.shape for t in s.inputs}, {t.name: t.shape for t in s.outputs}


def test_batch_and_sequence_are_found_by_running(opened):
    model = complete_signature(opened("Pooled"), {"input_ids": IDS, "attention_mask": MASK})
    assert shapes(model) == (
        {"input_ids": ("batch", "sequence"), "attention_mask": ("batch", "sequence")},
        {"output": ("batch", 4)},
    )
    assert [t.dtype for t in model.signature.inputs] == ["int64", "int64"]


def test_outputs_keep_their_names_and_a_dimension_that_follows_otherwise_is_open(opened):
    model = complete_signature(opened("Tokens"), {"input_ids": IDS, "attention_mask": MASK})
    assert shapes(model)[1] == {
        "tokens": ("batch", "sequence", 4), "pooled": ("batch", 4), "cls_0": ("batch", 4),
        "cls_1": ("batch", "cls_1_1", 4),
    }  # fmt: skip
    assert "token_type_ids" not in model.signature.input_names


def test_names_are_known_before_data_is(opened):
    assert forward_parameters(opened("Tokens")) == ("input_ids", "attention_mask", "token_type_ids")
    assert opened("Tokens").signature.outputs == ()


def test_a_fixed_length_stays_a_number(opened):
    assert shapes(complete_signature(opened("Short"), {"input_ids": IDS}))[0] == {"input_ids": ("batch", 6)}
    assert shapes(complete_signature(opened("Features"), {"columns": IDS}))[0] == {"columns": ("batch", 6)}


def test_a_fixed_batch_stays_a_number(opened):
    model = complete_signature(opened("One"), {"image": np.ones((2, 5), np.float32)})
    assert shapes(model)[0] == {"image": (2, 5)} or shapes(model)[1] == {"output": (2, 5)}


def test_several_outputs_have_their_own_types(opened):
    model = complete_signature(opened("Grid"), {"image": PICTURE})
    assert shapes(model)[1] == {"output_0": ("batch", 8, 8), "output_1": ("batch", 3)}
    assert [t.dtype for t in model.signature.outputs] == ["float32", "int64"]


def test_symbols_given_by_hand_are_used(opened):
    model = complete_signature(opened("Grid"), {"image": PICTURE}, {"image": ("batch", 3, "height", "width")})
    assert shapes(model) == (
        {"image": ("batch", 3, "height", "width")},
        {"output_0": ("batch", "height", "width"), "output_1": ("batch", 3)},
    )
    with pytest.raises(InputMismatchError, match="rank"):
        complete_signature(opened("Grid"), {"image": PICTURE}, {"image": ("batch",)})


def test_one_sample_is_enough(opened):
    model = complete_signature(opened("Pooled"), {"input_ids": IDS[:1, :1], "attention_mask": MASK[:1, :1]})
    assert shapes(model)[0]["input_ids"] == ("batch", "sequence")


def test_samples_that_do_not_fit_are_told_in_the_networks_words(opened):
    with pytest.raises(InputMismatchError, match=r"input_ids int64 \[2, 5\][\s\S]*six words, please"):
        complete_signature(opened("Short"), {"input_ids": IDS[:, :5]})
    with pytest.raises(UnsupportedModelError, match="no tensor"):
        complete_signature(opened("Nothing"), {"image": PICTURE})


def test_inputs_pair_by_name_and_a_single_one_by_being_single():
    assert list(match_inputs(["image"], {"whatever": PICTURE})) == ["image"]
    assert list(match_inputs(["b", "a"], {"a": IDS, "b": IDS})) == ["b", "a"]
    assert list(match_inputs(["input_ids", "token_type_ids"], {"input_ids": IDS})) == ["input_ids"]
    for examples in ({"a": IDS}, {"a": IDS, "b": IDS, "c": IDS}, {}):
        with pytest.raises(InputMismatchError, match=r"takes \['a', 'b'\]"):
            match_inputs(["a", "b"], examples)
