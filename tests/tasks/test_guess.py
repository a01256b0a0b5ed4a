from __future__ import annotations

import numpy as np
import pytest

from speedwell.core.errors import DataNotFoundError, UsageError
from speedwell.tasks import guess_task

IMAGE, TEXT = "image-classification", "text-classification"


@pytest.fixture
def image(make_model):
    return make_model({"x": ("float32", ("n", 3, 8, 8))})


@pytest.fixture
def text(make_model):
    return make_model({"input_ids": ("int64", ("n", "s"))})


@pytest.fixture
def unknown(make_model):
    return make_model({"x": ("float32", ())})


def test_paths_tell_the_task(photos, texts, tmp_path, unknown):
    np.savez(tmp_path / "a.npz", images=np.zeros((2, 4, 4, 3), np.uint8))
    assert guess_task(photos, unknown) == IMAGE
    assert guess_task(tmp_path / "a.npz", unknown) == IMAGE
    assert guess_task(str(texts), unknown) == TEXT


def test_live_data_tells_the_task(unknown, digit_files):
    import datasets

    assert guess_task(digit_files, unknown) == IMAGE
    assert guess_task([("a text", 1)], unknown) == TEXT
    assert guess_task([np.zeros((3, 8, 8), np.float32)], unknown) == IMAGE
    assert guess_task(datasets.Dataset.from_dict({"text": ["a"], "label": [0]}), unknown) == TEXT


def test_the_model_alone_tells_it_as_well(image, text, make_model):
    assert guess_task(None, image) == IMAGE
    assert guess_task(None, text) == TEXT
    assert guess_task(None, make_model({"x": ("float32", ())}, image={"size": 8})) == IMAGE
    assert guess_task(iter([]), text) == TEXT


def test_options_speak_first(unknown):
    assert guess_task([np.zeros(4)], unknown, {"score": "m:f"}) == "custom"
    assert guess_task(None, unknown, {"text_column": "t"}) == TEXT
    assert guess_task(None, unknown, {"tokenizer": "t.json"}) == TEXT


def test_data_and_model_that_disagree_are_refused(photos, texts, image, text):
    with pytest.raises(UsageError, match=f"looks like {IMAGE} and the model like {TEXT}"):
        guess_task(photos, text)
    with pytest.raises(UsageError, match=f"--task {IMAGE}"):
        guess_task(texts, image)


def test_what_cannot_be_told_is_asked(unknown, tmp_path):
    for data in (None, [np.zeros(4)], tmp_path):
        with pytest.raises(UsageError, match="cannot tell the task") as caught:
            guess_task(data, unknown)
        assert "--task custom" in caught.value.fix
    with pytest.raises(DataNotFoundError):
        guess_task(tmp_path / "none", unknown)
