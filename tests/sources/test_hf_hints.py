from __future__ import annotations

import json

import pytest

from speedwell.core.errors import UnsupportedModelError
from speedwell.sources.hf_hints import JSON_BYTES, folder_hints, read_json


def hints(tmp_path, config=None, **files):
    for name, value in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(value))
    return folder_hints(tmp_path, config or {})


def test_a_text_folder_names_its_tokenizer_and_the_shortest_limit(tmp_path):
    found = hints(tmp_path, {"max_position_embeddings": 512}, tokenizer={}, tokenizer_config={"model_max_length": 256})
    assert found["text"] == {"tokenizer": str((tmp_path / "tokenizer.json").resolve()), "max_length": 256}
    found = hints(tmp_path, {"max_position_embeddings": 512}, tokenizer_config={"model_max_length": 1e30})
    assert found["text"]["max_length"] == 512
    roberta = {"max_position_embeddings": 514, "model_type": "roberta", "pad_token_id": 1}
    assert hints(tmp_path, roberta)["text"]["max_length"] == 512


def test_classes_are_in_the_order_of_their_numbers(tmp_path):
    assert hints(tmp_path, {"id2label": {"10": "k", "2": "c", "0": "a"}})["classes"] == ["a", "c", "k"]
    assert "classes" not in hints(tmp_path, {"id2label": {"x": "y"}})


@pytest.mark.parametrize(
    ("settings", "want"),
    [
        ({"size": {"height": 224, "width": 192}}, {"size": [224, 192], "resize": "stretch", "crop": "none"}),
        ({"size": 32}, {"size": [32, 32], "resize": "stretch"}),
        ({"size": {"shortest_edge": 256}, "do_center_crop": True, "crop_size": {"height": 224, "width": 224}},
         {"size": [224, 224], "resize": "shortest", "resize_to": 256, "crop": "center"}),
        ({"size": {"shortest_edge": 224}, "crop_pct": 0.875},
         {"size": [224, 224], "resize": "shortest", "resize_to": 256}),
        ({"size": {"height": 256, "width": 256}, "do_center_crop": True, "crop_size": 224},
         {"size": [224, 224], "resize": "stretch", "resize_to": 256, "crop": "center"}),
        ({"do_resize": False, "size": 28}, {"resize": "none"}),
        ({"do_rescale": False, "image_mean": [1.0, 2.0, 3.0]}, {"scale": 1.0, "mean": [1.0, 2.0, 3.0]}),
        ({"resample": 3}, {"interpolation": "bicubic"}),
        ({"resample": 0}, {"interpolation": "nearest"}),
    ],
)  # fmt: skip
def test_image_settings_are_said_in_speedwells_words(tmp_path, settings, want):
    found = hints(tmp_path, preprocessor_config=settings)["image"]
    assert {k: found[k] for k in want} == want


def test_no_normalisation_gives_no_mean(tmp_path):
    found = hints(tmp_path, preprocessor_config={"do_normalize": False, "image_mean": [0.5] * 3})["image"]
    assert "mean" not in found


def test_a_regression_is_said(tmp_path):
    assert hints(tmp_path, {"problem_type": "regression"})["problem"] == "regression"


@pytest.mark.parametrize("text", ["", "[1]", "{", "[" * 100_000])
def test_settings_that_are_no_object_are_a_typed_error(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(UnsupportedModelError):
        read_json(tmp_path / "x.json")


def test_settings_of_any_size_are_not_read(tmp_path):
    with (tmp_path / "x.json").open("wb") as file:
        file.truncate(JSON_BYTES + 1)
    with pytest.raises(UnsupportedModelError, match="larger"):
        read_json(tmp_path / "x.json")
