from __future__ import annotations

import json

import numpy as np
import pytest

from speedwell.core import Model, Origin, Signature, TensorSpec
from speedwell.core.errors import UsageError
from speedwell.tasks.boxes import detection_settings, parse_detection, reader_of


def model(hints=None, shape=("batch", 3, 48, 64), outputs=()):
    signature = Signature(
        (TensorSpec("image", "float32", shape),), tuple(TensorSpec(n, "float32", ()) for n in outputs)
    )
    return Model("onnx", None, signature, Origin("onnx", "m.onnx", {}, hints or {}), frozenset({"float"}), "0" * 64)


def test_a_style_a_file_json_and_a_mapping_say_the_same(tmp_path):
    path = tmp_path / "yolo.json"
    path.write_text(json.dumps({"detection": {"style": "yolo"}}))
    for given in ("yolo", str(path), path, '{"style": "yolo"}', {"style": "yolo"}, {"detection": "yolo"}):
        assert parse_detection(given) == {"style": "yolo"}
    assert parse_detection(None) == parse_detection("") == {}
    for wrong in ("yolov99", str(tmp_path / "none.json"), 3, "{"):
        with pytest.raises(UsageError, match="detection"):
            parse_detection(wrong)


def test_the_input_size_is_what_is_fed_then_what_is_said_then_what_the_signature_shows():
    hints = {"detection": {"style": "detr"}, "image": {"size": [24, 32]}}
    assert detection_settings(model(hints), {})["size"] == [24, 32]
    assert detection_settings(model(hints), {"size": [8, 9]})["size"] == [8, 9]
    assert detection_settings(model(hints), {}, (16, 16))["size"] == [16, 16]
    assert detection_settings(model(), {"detection": "detr"})["size"] == [48, 64]
    assert detection_settings(model(shape=("b", 40, 56, 3)), {"detection": "detr"})["size"] == [40, 56]
    assert "size" not in detection_settings(model(shape=()), {"detection": "yolo"})


def test_output_names_give_two_styles_away():
    assert detection_settings(model(outputs=("boxes", "labels", "scores")), {})["style"] == "torchvision"
    assert detection_settings(model(outputs=("logits", "pred_boxes")), {})["style"] == "detr"
    assert "style" not in detection_settings(model(outputs=("output0",)), {})


def test_another_style_of_the_users_forgets_the_hints():
    hints = {"detection": {"style": "grid", "strides": [4], "score": 0.3}}
    assert "strides" not in detection_settings(model(hints), {"detection": "yolo"})
    assert detection_settings(model(hints), {"detection": {"score": 0.1}})["strides"] == [4]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "not known"),
        ({"style": "ssd"}, "no detector style 'ssd'"),
        ({"style": "grid"}, "input size"),
        ({"style": "grid", "size": [32, 32], "anchors": 3}, r"say \['anchors'\]"),
        ({"style": "grid", "size": [32, 32], "strides": "8"}, "strides of detection"),
        ({"style": "grid", "size": "32"}, "input size is '32'"),
        ({"style": "yolo", "objectness": "yes"}, "objectness"),
        ({"style": "yolo", "names": {"masks": "x"}}, "masks"),
        ({"style": "yolo", "names": 3}, "names"),
        ({"style": "yolo", "score": 1.5}, "score of detection is 1.5"),
        ({"style": "yolo", "most": 0}, "most of detection is 0"),
        ({"style": "yolo", "boxes": "corners"}, "corners"),
    ],
)
def test_settings_that_cannot_be_are_named(settings, told):
    with pytest.raises(UsageError, match=told):
        reader_of(settings)


def test_a_reader_drops_doubles_where_the_network_does_not():
    table = np.zeros((1, 3, 6), np.float32)
    table[0, :, :4] = [[10, 10, 8, 8], [11, 10, 8, 8], [40, 40, 8, 8]]
    table[0, :, 4] = [0.9, 0.8, 0.7]
    settings = {"style": "yolo", "transposed": False}
    (found,) = reader_of(settings).read({"out": table}, 1)
    assert found.scores.tolist() == [np.float32(0.9), np.float32(0.7)]
    assert len(reader_of({**settings, "iou": 1.0}).read({"out": table}, 1)[0]) == 3
    assert len(reader_of({**settings, "most": 1}).read({"out": table}, 1)[0]) == 1
    assert len(reader_of({**settings, "score": 0.75}).read({"out": table}, 1)[0]) == 1
    queries = {"logits": np.array([[[4.0, -4, 0], [4, -4, 0]]]), "pred_boxes": np.full((1, 2, 4), 0.5)}
    assert len(reader_of({"style": "detr", "size": [8, 8]}).read(queries, 1)[0]) == 2


def test_an_output_of_another_name_can_be_named():
    table = np.zeros((1, 5, 9), np.float32)
    table[0, 4, 2] = 0.5
    reader = reader_of({"style": "yolo", "names": {"output": "preds"}})
    assert len(reader.read({"other": table[:, :3], "preds": table}, 1)[0]) == 1
