from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
import transformers

from speedwell.core.errors import (
    ModelNotFoundError,
    UnsafeModelError,
    UnsupportedModelError,
    UsageError,
    WeightsMismatchError,
)
from speedwell.sources import build_module, complete_signature, load_model
from speedwell.sources.hf import HuggingFace
from speedwell.testing.sources import Made, SourceConformance, outputs_of

IDS = np.random.default_rng(0).integers(5, 40, (2, 7))
TEXTS = {"input_ids": IDS, "attention_mask": np.ones_like(IDS), "token_type_ids": np.zeros_like(IDS)}
SMALL = {
    "vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
    "max_position_embeddings": 32, "id2label": {0: "bad", 1: "good", 2: "so so"},
    "label2id": {"bad": 0, "good": 1, "so so": 2},
}  # fmt: skip


def bert(folder, **settings):
    torch.manual_seed(0)
    network = transformers.BertForSequenceClassification(transformers.BertConfig(**{**SMALL, **settings})).eval()
    network.save_pretrained(folder)
    return network


class TestHuggingFace(SourceConformance):
    def source(self):
        return HuggingFace()

    def make(self, folder):
        bert(folder)
        return Made(f"hf:{folder}", TEXTS)


def changed(folder, **values):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **values}))


def test_the_answers_are_those_of_transformers_and_outlive_the_folder(tmp_path):
    network = bert(tmp_path / "m")
    model = complete_signature(load_model(f"hf:{tmp_path / 'm'}", None, tmp_path / "s"), TEXTS)
    shutil.rmtree(tmp_path / "m")
    with torch.inference_mode():
        want = network(**{k: torch.from_numpy(v) for k, v in TEXTS.items()}).logits.numpy()
    np.testing.assert_allclose(outputs_of(model, TEXTS)["output"], want, atol=1e-6)
    assert model.signature.inputs[0].shape == ("batch", "sequence")
    assert model.signature.outputs[0].shape == ("batch", 3)
    assert model.origin.hints["classes"] == ["bad", "good", "so so"]
    assert "transformers" in model.origin.versions
    assert str(tmp_path / "m") not in (model.payload / "config.json").read_text()


def test_half_weights_are_opened_in_float32(tmp_path):
    bert(tmp_path / "m").to(torch.bfloat16).save_pretrained(tmp_path / "m")
    module = build_module(load_model(f"hf:{tmp_path / 'm'}", None, tmp_path / "s"))
    assert {p.dtype for p in module.parameters()} == {torch.float32}


def test_weights_in_several_files_are_read_whole(tmp_path):
    network = bert(tmp_path / "m")
    shutil.rmtree(tmp_path / "m")
    network.save_pretrained(tmp_path / "m", max_shard_size="6KB")
    assert len(list((tmp_path / "m").glob("*.safetensors"))) > 1
    module = build_module(load_model(f"hf:{tmp_path / 'm'}", None, tmp_path / "s"))
    assert torch.equal(module.network.classifier.weight, network.classifier.weight)


def test_a_network_without_token_types_takes_none(tmp_path):
    config = transformers.DistilBertConfig(vocab_size=40, dim=16, n_layers=1, n_heads=2, hidden_dim=16,
                                           max_position_embeddings=32)  # fmt: skip
    transformers.DistilBertForSequenceClassification(config).save_pretrained(tmp_path / "m")
    model = load_model(f"hf:{tmp_path / 'm'}", None, tmp_path / "s")
    assert model.signature.input_names == ("input_ids", "attention_mask")


def test_an_image_classifier_opens_with_its_preprocessing(tmp_path):
    config = transformers.ViTConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
                                    image_size=16, patch_size=8, num_labels=4)  # fmt: skip
    transformers.ViTForImageClassification(config).save_pretrained(tmp_path / "m")
    (tmp_path / "m" / "preprocessor_config.json").write_text(
        json.dumps(
            {"size": {"height": 16, "width": 16}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 3}
        )
    )
    model = load_model(f"hf:{tmp_path / 'm'}", None, tmp_path / "s")
    pixels = {"pixel_values": np.zeros((2, 3, 16, 16), np.float32)}
    whole = complete_signature(model, pixels)
    assert whole.signature.inputs[0].shape == ("batch", 3, 16, 16)
    assert outputs_of(whole, pixels)["output"].shape == (2, 4)
    assert model.origin.hints["image"]["interpolation"] == "bicubic"


def test_code_in_the_folder_is_never_run(tmp_path):
    bert(tmp_path / "m")
    (tmp_path / "m" / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Evil: pass")
    changed(tmp_path / "m", auto_map={"AutoModelForSequenceClassification": "evil.Evil"}, model_type="evil")
    with pytest.raises(UnsafeModelError, match="auto_map"):
        load_model(f"hf:{tmp_path / 'm'}", None, tmp_path / "s")
    assert not (tmp_path / "ran").exists()


def test_pickled_weights_are_refused_with_a_command(tmp_path):
    network = bert(tmp_path / "m")
    (tmp_path / "m" / "model.safetensors").unlink()
    torch.save(network.state_dict(), tmp_path / "m" / "pytorch_model.bin")
    with pytest.raises(UnsafeModelError, match=r"pytorch_model\.bin[\s\S]*AutoModelForSequenceClassification"):
        load_model(f"hf:{tmp_path / 'm'}", None, tmp_path / "s")


def test_an_encoder_alone_points_at_a_factory(tmp_path):
    transformers.BertModel(transformers.BertConfig(**SMALL)).save_pretrained(tmp_path / "m")
    with pytest.raises(UnsupportedModelError, match=r"BertModel[\s\S]*models:build"):
        load_model(f"hf:{tmp_path / 'm'}", None, tmp_path / "s")


def test_a_head_that_is_not_in_the_weights_is_not_made_up(tmp_path):
    transformers.BertModel(transformers.BertConfig(**SMALL)).save_pretrained(tmp_path / "m")
    changed(tmp_path / "m", architectures=["BertForSequenceClassification"])
    with pytest.raises(WeightsMismatchError, match=r"classifier\.(bias|weight)[\s\S]*random"):
        load_model(f"hf:{tmp_path / 'm'}", None, tmp_path / "s")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"hidden_size": 32}, WeightsMismatchError),
        ({"model_type": "no-such"}, UnsupportedModelError),
        ({"quantization_config": {"quant_method": "gptq"}}, UnsupportedModelError),
        ({"architectures": None}, UnsupportedModelError),
    ],
)
def test_a_config_that_does_not_fit_is_a_typed_error(tmp_path, changes, error):
    bert(tmp_path / "m")
    changed(tmp_path / "m", **changes)
    with pytest.raises(error):
        load_model(f"hf:{tmp_path / 'm'}", None, tmp_path / "s")


def test_folders_that_hold_no_model_and_extra_weights(tmp_path):
    with pytest.raises(ModelNotFoundError, match="never a hub name"):
        load_model("hf:bert-base-uncased", None, tmp_path / "s")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelNotFoundError, match=r"config\.json"):
        load_model(f"hf:{tmp_path / 'empty'}", None, tmp_path / "s")
    (tmp_path / "empty" / "config.json").write_text("{")
    with pytest.raises(UnsupportedModelError, match="JSON"):
        load_model(f"hf:{tmp_path / 'empty'}", None, tmp_path / "s")
    with pytest.raises(UsageError):
        load_model(f"hf:{tmp_path / 'empty'}", tmp_path / "w", tmp_path / "s")
