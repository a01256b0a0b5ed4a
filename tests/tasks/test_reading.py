from __future__ import annotations

import numpy as np
import pytest

from speedwell.core.errors import DataError, DataNotFoundError, LabelMismatchError
from speedwell.inputs import Samples
from speedwell.tasks import check_labels, read_data, read_options
from speedwell.tasks.reading import class_names


def samples(targets, classes):
    return Samples(lambda i: str(i), np.array(targets), [str(i) for i in range(len(targets))], classes)


def test_class_names_come_from_lists_lines_and_json(tmp_path):
    path = tmp_path / "c.txt"
    for text in ("cat\ndog\n", '["cat", "dog"]', '{"1": "dog", "0": "cat"}', "\ufeffcat\r\n\r\ndog"):
        path.write_text(text, newline="")
        assert class_names(path) == ("cat", "dog")
    assert class_names(["cat", "dog"]) == ("cat", "dog")
    assert class_names(None) == ()
    for text, told in (("cat\ncat\n", "'cat' twice"), ('{"a": "b"}', "Number them from 0"), ("[1", "not JSON")):
        path.write_text(text)
        with pytest.raises(DataError, match=told):
            class_names(path)
    with pytest.raises(DataNotFoundError):
        class_names(tmp_path / "none")


def test_the_models_names_are_used_unless_the_user_names_them_or_they_say_nothing(make_model):
    image = {"x": ("float32", ("n", 3, 8, 8))}
    assert read_options(make_model(image, classes=["a", "b"]), {})["classes"] == ["a", "b"]
    assert read_options(make_model(image, classes=["a", "b"]), {"classes": ["c"]})["classes"] == ["c"]
    assert read_options(make_model(image, classes=["LABEL_0", "LABEL_1"]), {})["classes"] is None
    assert not read_options(make_model(image), {"split": "test"})["classes"]


def test_classes_are_compared_with_the_outputs_where_the_signature_says_them(make_model):
    model = make_model({"x": ("float32", ("n", 3, 8, 8))}, {"y": ("float32", ("n", 3))})
    assert check_labels(samples([0, 2], ("a", "b", "c")), model) == []
    assert "2 classes and the model 3 outputs" in check_labels(samples([0, 1], ("a", "b")), model)[0]
    with pytest.raises(LabelMismatchError, match="label 3 is beyond the model's 3"):
        check_labels(samples([0, 3], tuple("abcd")), model)
    assert check_labels(samples([-1, -1], ()), model) == []
    assert check_labels(samples([0, 7], tuple("abcdefgh")), make_model({"x": ("float32", ())})) == []


def test_parquet_shards_in_a_folder_are_a_data_set(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    (tmp_path / "data").mkdir()
    for k in range(2):
        table = pa.table({"text": [f"a{k}", f"b{k}"], "label": [0, 1]})
        pq.write_table(table, tmp_path / "data" / f"test-0000{k}-of-00002.parquet")
    assert [s.raw for s in read_data(tmp_path, {"split": "test"})] == ["a0", "b0", "a1", "b1"]


def test_samples_pass_through_and_unknown_files_say_what_can_be_read(tmp_path):
    some = samples([0, 1], ("a", "b"))
    assert read_data(some, {}) is some
    (tmp_path / "a.xyz").write_text("")
    with pytest.raises(DataError, match=r"none of \.npz, \.csv"):
        read_data(tmp_path / "a.xyz", {})
    with pytest.raises(DataNotFoundError, match="nowhere"):
        read_data(tmp_path / "nowhere", {})
