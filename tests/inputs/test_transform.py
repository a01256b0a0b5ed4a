from __future__ import annotations

import json

import pytest

from speedwell.core.errors import DataError, DataNotFoundError
from speedwell.inputs import ImageTransform, TextTransform, Transform


def change(folder, **values):
    path = folder / "transform.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in (record | values).items() if v != "GONE"}))


@pytest.fixture
def saved(tmp_path):
    ImageTransform("x", (4, 6), mean=(0.1, 0.2, 0.3), std=(0.3, 0.2, 0.1), assumed=("a guess",)).save(tmp_path)
    return tmp_path


def test_what_was_guessed_is_told_and_not_stored(saved):
    again = Transform.open(saved)
    assert again == ImageTransform("x", (4, 6), mean=(0.1, 0.2, 0.3), std=(0.3, 0.2, 0.1))
    assert again.assumed == ()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"schema": 2}, "schema 1"),
        ({"kind": "audio"}, "no transform of kind 'audio'"),
        ({"kind": ["image"]}, "no transform of kind"),
        ({"extra": 1}, "unknown entries \\['extra'\\]"),
        ({"layout": "GONE"}, "missing entries \\['layout'\\]"),
        ({"size": [4]}, "does not hold a transform"),
        ({"size": 4}, "not iterable"),
        ({"size": ["4", "6"]}, "size is"),
        ({"std": [0, 1, 1]}, "std is"),
        ({"mean": [1e999, 0, 0]}, "mean is"),
        ({"interpolation": "magic"}, "interpolation is 'magic'"),
    ],
)
def test_a_damaged_record_is_refused_with_its_reason(saved, values, told):
    change(saved, **values)
    with pytest.raises(DataError, match=told):
        Transform.open(saved)


def test_a_file_that_is_no_json_or_no_object_is_refused(saved):
    (saved / "transform.json").write_text("{")
    with pytest.raises(DataError, match="not JSON"):
        Transform.open(saved)
    (saved / "transform.json").write_text("[]")
    with pytest.raises(DataError, match="schema"):
        Transform.open(saved)


def test_a_missing_file_is_named(saved, tokenizer):
    with pytest.raises(DataNotFoundError, match=r"transform\.json"):
        Transform.open(saved / "nowhere")
    TextTransform({"input_ids": "ids"}, tokenizer).save(saved)
    (saved / "tokenizer.json").unlink()
    with pytest.raises(DataNotFoundError, match=r"tokenizer\.json"):
        Transform.open(saved)


def test_a_text_transform_keeps_its_tokenizer_in_its_own_file(tmp_path, tokenizer):
    made = TextTransform({"input_ids": "ids", "attention_mask": "m"}, tokenizer, 9)
    made.save(tmp_path)
    assert "WordPiece" not in (tmp_path / "transform.json").read_text()
    assert (tmp_path / "tokenizer.json").read_text() == tokenizer
    assert Transform.open(tmp_path) == made
    assert Transform.open(tmp_path).key == made.key
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(DataError, match="tokenizer"):
        Transform.open(tmp_path)


def test_keys_differ_where_records_do():
    assert ImageTransform("x", (4, 6)).key != ImageTransform("x", (6, 4)).key
