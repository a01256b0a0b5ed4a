from __future__ import annotations

import datasets
import pytest

from speedwell.core.errors import DataError
from speedwell.inputs import is_dataset, is_saved_dataset, read_dataset, read_saved

datasets.disable_progress_bars()


@pytest.fixture
def texts():
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])})
    return datasets.Dataset.from_dict({"text": ["a", "b", "c"], "label": [1, 0, -1]}, features=features)


def test_a_live_data_set_of_texts(texts):
    assert is_dataset(texts)
    samples = read_dataset(texts)
    assert [(s.raw, s.target) for s in samples] == [("a", 1), ("b", 0), ("c", None)]
    assert samples.classes == ("no", "yes")
    assert read_dataset(texts, ("yes", "no")).targets.tolist() == [0, 1, -1]


def test_a_saved_data_set_of_images_stays_encoded(digits, tmp_path):
    rows = {"picture of it": [{"bytes": f, "path": None} for f in digits[0][:9]], "label": digits[1][:9]}
    features = datasets.Features({"picture of it": datasets.Image(), "label": datasets.Value("int64")})
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(tmp_path / "d")
    assert is_saved_dataset(tmp_path / "d")
    samples = read_saved(tmp_path / "d")
    assert [s.raw for s in samples] == digits[0][:9]
    assert samples.targets.tolist() == digits[1][:9]


def test_a_split_has_to_be_named_where_there_are_several(texts, tmp_path):
    datasets.DatasetDict({"train": texts, "test": texts.select([0])}).save_to_disk(tmp_path / "d")
    assert is_saved_dataset(tmp_path / "d")
    with pytest.raises(DataError, match="several splits: train, test"):
        read_saved(tmp_path / "d")
    assert len(read_saved(tmp_path / "d", split="test")) == 1
    with pytest.raises(DataError, match="no split 'val'"):
        read_saved(tmp_path / "d", split="val")
    assert len(read_dataset(datasets.DatasetDict({"only": texts}))) == 3


def test_streams_and_unknown_columns_are_refused_with_the_fix(texts):
    with pytest.raises(DataError, match="IterableDataset") as caught:
        read_dataset(texts.to_iterable_dataset())
    assert "from_list" in caught.value.fix
    with pytest.raises(DataError, match="its columns are: p, q, r"):
        read_dataset(datasets.Dataset.from_dict({"p": ["x"], "q": ["y"], "r": ["z"]}))


def test_a_folder_that_is_none_is_told_apart(tmp_path):
    assert not is_saved_dataset(tmp_path)
    assert not is_dataset([1])
    (tmp_path / "dataset_info.json").write_text("{}")
    (tmp_path / "state.json").write_text("{}")
    with pytest.raises(DataError, match="cannot read the data set"):
        read_saved(tmp_path)
