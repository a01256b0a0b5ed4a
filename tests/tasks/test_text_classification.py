from __future__ import annotations

import numpy as np
import pytest

from speedwell import tasks
from speedwell.core.errors import DataError
from speedwell.testing.tasks import TaskConformance

TEXT = {n: ("int64", ("batch", "sequence")) for n in ("input_ids", "attention_mask")}


class TestTextClassification(TaskConformance):
    @pytest.fixture
    def task(self):
        return tasks.build("text-classification", {})

    @pytest.fixture
    def data(self, texts):
        return texts

    @pytest.fixture
    def options(self, tokenizer_file):
        return {"tokenizer": str(tokenizer_file)}

    @pytest.fixture
    def model(self, make_model):
        return make_model(TEXT, {"logits": ("float32", ("batch", 2))})

    @pytest.fixture
    def outputs(self):
        rng = np.random.default_rng(1)
        return {"logits": rng.standard_normal((12, 2)).astype(np.float32)}, rng.integers(0, 2, 12)


def test_images_are_refused(photos):
    with pytest.raises(DataError, match="bytes, not texts") as caught:
        tasks.build("text-classification", {}).read(photos, {})
    assert "image-classification" in caught.value.fix


def test_pairs_of_texts_are_texts(tmp_path):
    (tmp_path / "a.csv").write_text("premise,hypothesis,label\na,b,0\nc,d,1\n")
    samples = tasks.build("text-classification", {}).read(tmp_path / "a.csv", {"text_column": "premise,hypothesis"})
    assert samples[1].raw == ("c", "d")
