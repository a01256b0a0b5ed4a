from __future__ import annotations

import json

import pytest
import torch

from speedwell.core.errors import ModelNotFoundError, UnsupportedModelError, UsageError, WeightsMismatchError
from speedwell.sources import build_module, load_model, new_model, save_trained
from speedwell.sources.payload import WEIGHTS

CLASSES = ("cat", "dog", "owl")


def test_a_built_in_gets_as_many_outputs_as_there_are_classes(tmp_path):
    model = new_model("residual", tmp_path, CLASSES, {"depth": 8, "width": 4, "size": [16, 16]})
    network = build_module(model, trainable=True)
    assert network(torch.zeros(2, 3, 16, 16)).shape == (2, 3)
    assert network.training
    assert all(p.requires_grad for p in network.parameters())
    assert not any(p.requires_grad for p in build_module(model).parameters())


def test_the_generator_decides_the_weights(tmp_path):
    made = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        made.append(new_model("residual", tmp_path, CLASSES, {"depth": 8, "width": 4}).digest)
    assert made[0] == made[1] != made[2]


def test_a_factory_is_told_the_classes_where_it_asks(write_code, tmp_path):
    path = write_code("\ndef sized(classes, width=4):\n    return Net(classes)\n")
    model = new_model(f"{path}:sized", tmp_path / "a", CLASSES)
    assert build_module(model)(torch.zeros(1, 3, 8, 8)).shape == (1, 3)
    plain = new_model(f"{path}:build", tmp_path / "b", CLASSES)
    assert build_module(plain)(torch.zeros(1, 3, 8, 8)).shape == (1, 3)
    again = new_model(f"{path}:sized", tmp_path / "c", CLASSES, {"classes": 7})
    assert build_module(again)(torch.zeros(1, 3, 8, 8)).shape == (1, 7)
    with pytest.raises(Exception, match="depth"):
        new_model(f"{path}:sized", tmp_path / "d", CLASSES, {"depth": 7})


def test_what_was_trained_is_opened_again_with_its_words(tmp_path):
    torch.manual_seed(0)
    model = new_model("residual", tmp_path / "start", CLASSES, {"depth": 8, "width": 4})
    network = build_module(model, trainable=True)
    with torch.no_grad():
        network.head.bias.fill_(3.0)
    from speedwell.sources.weights import save_weights

    save_weights(network, tmp_path / "best.safetensors")
    save_trained(
        model, tmp_path / "best.safetensors", tmp_path / "run" / "model", {"classes": list(CLASSES), "none": None}
    )
    for reference in (tmp_path / "run", tmp_path / "run" / "model"):
        opened = load_model(str(reference), None, tmp_path / "scratch")
        assert build_module(opened).head.bias.tolist() == [3.0] * 3
        assert opened.origin.hints["classes"] == list(CLASSES)
        assert opened.origin.kind == "network"
        assert opened.signature.input_names == ("image",)
    on = new_model(str(tmp_path / "run"), tmp_path / "on", CLASSES)
    assert build_module(on).head.bias.tolist() == [3.0] * 3
    with pytest.raises(UsageError, match="depth"):
        new_model(str(tmp_path / "run"), tmp_path / "on", CLASSES, {"depth": 20})
    with pytest.raises(UsageError, match="--weights"):
        load_model(str(tmp_path / "run"), tmp_path / "best.safetensors", tmp_path / "scratch")


def test_a_tokenizer_travels_with_the_network(tmp_path):
    from speedwell.training.vocabulary import learn_tokenizer

    tokenizer = learn_tokenizer(["some words", "more words"], tmp_path / "tokenizer.json", 300)
    model = new_model("encoder", tmp_path / "start", CLASSES, {"vocabulary": 300, "width": 12, "heads": 2, "layers": 1})
    hints = {"text": {"tokenizer": str(tokenizer), "max_length": 16}}
    save_trained(model, model.payload / WEIGHTS, tmp_path / "model", hints)
    tokenizer.unlink()
    (tmp_path / "moved").mkdir()
    (tmp_path / "model").rename(tmp_path / "moved" / "model")
    opened = load_model(str(tmp_path / "moved"), None, tmp_path / "scratch")
    assert (opened.payload / "tokenizer.json").is_file()
    assert opened.origin.hints["text"] == {"tokenizer": str(opened.payload / "tokenizer.json"), "max_length": 16}
    assert str(tmp_path) not in (tmp_path / "moved" / "model" / "origin.json").read_text()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 7}', '{"schema": 1, "origin": {"kind": 3, "hints": 4}}'])
def test_a_garbled_origin_is_a_typed_error(tmp_path, text):
    model = new_model("residual", tmp_path / "start", CLASSES, {"depth": 8, "width": 4})
    save_trained(model, model.payload / WEIGHTS, tmp_path / "model", {})
    (tmp_path / "model" / "origin.json").write_text(text)
    with pytest.raises(UnsupportedModelError, match=r"origin\.json"):
        load_model(str(tmp_path / "model"), None, tmp_path / "scratch")


def test_a_new_head_is_put_on_a_hugging_face_body(tmp_path):
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, num_labels=2
    )
    transformers.BertForSequenceClassification(config).save_pretrained(tmp_path / "bert")
    model = new_model(f"hf:{tmp_path / 'bert'}", tmp_path / "a", CLASSES)
    network = build_module(model)
    ids = torch.ones(2, 5, dtype=torch.int64)
    assert network(ids, ids, ids).shape == (2, 3)
    told = json.loads((model.payload / "config.json").read_text())
    assert told["id2label"] == {"0": "cat", "1": "dog", "2": "owl"}
    same = new_model(f"hf:{tmp_path / 'bert'}", tmp_path / "b", ("no", "yes"))
    body = transformers.BertForSequenceClassification.from_pretrained(tmp_path / "bert")
    assert torch.equal(build_module(same).network.classifier.weight, body.classifier.weight)
    with pytest.raises(UsageError, match="beside it"):
        new_model(f"hf:{tmp_path / 'bert'}", tmp_path / "c", CLASSES, {"a": 1})
    with pytest.raises(ModelNotFoundError, match="nothing"):
        new_model("hf:nothing", tmp_path / "d", CLASSES)


def test_weights_to_begin_from_must_fit(tmp_path):
    small = new_model("residual", tmp_path / "a", CLASSES, {"depth": 8, "width": 4})
    start = small.payload / WEIGHTS
    assert new_model("residual", tmp_path / "b", CLASSES, {"depth": 8, "width": 4}, start).digest == small.digest
    with pytest.raises(WeightsMismatchError):
        new_model("residual", tmp_path / "c", CLASSES, {"depth": 8, "width": 8}, start)
    with pytest.raises(ModelNotFoundError, match=r"none\.safetensors"):
        new_model("residual", tmp_path / "d", CLASSES, {}, tmp_path / "none.safetensors")


@pytest.mark.parametrize("reference", ["resnet", "nothing.onnx", "folder/", "hub/name"])
def test_an_unknown_network_says_what_there_is(tmp_path, reference):
    with pytest.raises(ModelNotFoundError, match="residual, mobile, detector, encoder"):
        new_model(reference, tmp_path, CLASSES)
