from __future__ import annotations

import datasets
import pytest

from speedwell.core.errors import CorruptSampleError, DataError
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


def boxed(form="columns", **more):
    from .conftest import png

    names = datasets.ClassLabel(names=["cat", "dog"])
    number = datasets.Value("float32")
    if form == "columns":
        objects = {"bbox": datasets.Sequence(datasets.Sequence(number, 4)), "category": datasets.Sequence(names)}
        cells = [{"bbox": [[1, 2, 3, 4], [0, 0, 2, 2]], "category": [1, 0]}, {"bbox": [], "category": []}]
    else:
        objects = [{"bbox": datasets.Sequence(number, 4), "category": names}]
        cells = [[{"bbox": [1, 2, 3, 4], "category": 1}, {"bbox": [0, 0, 2, 2], "category": 0}], []]
    features = datasets.Features(
        {"image": datasets.Image(), "objects": objects, **{k: datasets.Value("int64") for k in more}}
    )
    rows = [{"bytes": png(20, 30, k), "path": None} for k in range(2)]
    return datasets.Dataset.from_dict({"image": rows, "objects": cells, **more}, features=features)


@pytest.mark.parametrize("form", ["columns", "rows"])
def test_a_column_of_objects_makes_it_detection(form, tmp_path):
    from .conftest import png

    data = boxed(form)
    data.save_to_disk(tmp_path / "d")
    for samples in (read_dataset(data), read_saved(tmp_path / "d")):
        assert samples.classes == ("cat", "dog")
        assert samples[0].objects.boxes.tolist() == [[1, 2, 4, 6], [0, 0, 2, 2]]
        assert samples[0].objects.classes.tolist() == [1, 0]
        assert [samples.objects(i).size for i in range(2)] == [(20, 30)] * 2
        assert [s.raw for s in samples] == [png(20, 30, 0), png(20, 30, 1)]
        assert samples.targets.tolist() == [0, 2]
    assert read_dataset(data, ("dog", "cat"))[0].objects.classes.tolist() == [0, 1]


def test_sizes_come_from_columns_where_they_are_and_another_label_can_be_named():
    data = boxed(height=[20, 25], width=[30, 30])
    samples = read_dataset(data)
    assert samples.objects(1).size == (25, 30)
    with pytest.raises(CorruptSampleError, match="picture of 30x25, it has 30x20"):
        samples[1]
    assert not read_dataset(boxed(scene=[1, 0]), label_column="scene").has_objects
    with pytest.raises(DataError, match="no image column named 'photo'"):
        read_dataset(data, image_column="photo")
