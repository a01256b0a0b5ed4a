from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from speedwell.core.errors import CorruptSampleError, DataError
from speedwell.inputs import parquet_files, read_parquet, read_table


def test_texts_and_labels(tmp_path):
    pq.write_table(pa.table({"text": ["a", None, "c"] * 9, "label": [0, 1, 1] * 9}), tmp_path / "a.parquet")
    with pytest.raises(CorruptSampleError, match="9 of 27"):
        read_table(tmp_path / "a.parquet")
    pq.write_table(pa.table({"text": ["a", "b", None], "label": [0, 1, 1]}), tmp_path / "a.parquet")
    samples = read_table(tmp_path / "a.parquet")
    assert [(s.raw, s.target, s.origin) for s in samples] == [("a", 0, "a.parquet:0"), ("b", 1, "a.parquet:1")]
    assert samples.bad[0].origin == "a.parquet:2"


def test_images_as_hugging_face_writes_them_with_their_class_names(digits, tmp_path):
    import datasets

    files, labels = digits
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=[f"d{i}" for i in range(10)])}
    )
    rows = {"image": [{"bytes": f, "path": None} for f in files[:40]], "label": labels[:40]}
    whole = datasets.Dataset.from_dict(rows, features=features)
    for k in range(2):
        whole.shard(2, k, contiguous=True).to_parquet(tmp_path / f"train-0000{k}-of-00002.parquet")
    shards = parquet_files(tmp_path, "train")
    assert len(shards) == 2
    assert parquet_files(tmp_path, "test") == []
    samples = read_parquet(shards)
    assert [s.raw for s in samples] == files[:40]
    assert samples.targets.tolist() == labels[:40]
    assert samples.classes == tuple(f"d{i}" for i in range(10))
    assert samples.origins[20] == "train-00001-of-00002.parquet:0"


def test_image_paths_stay_inside_the_datas_folder(digits, tmp_path):
    inside = tmp_path / "data"
    inside.mkdir()
    (inside / "1.jpg").write_bytes(digits[0][0])
    (tmp_path / "2.jpg").write_bytes(digits[0][1])
    cells = [{"bytes": None, "path": p} for p in ("1.jpg", "../2.jpg", "3.jpg")]
    pq.write_table(pa.table({"image": cells, "label": [0, 1, 1]}), inside / "a.parquet")
    samples = read_parquet([inside / "a.parquet"])
    assert samples[0].raw == digits[0][0]
    with pytest.raises(CorruptSampleError, match="outside"):
        samples[1]
    with pytest.raises(CorruptSampleError, match="No such file"):
        samples[2]


def test_what_is_no_parquet_is_refused(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(DataError, match="cannot read"):
        read_table(tmp_path / "a.parquet")


@pytest.mark.parametrize("form", ["columns", "rows"])
def test_a_column_of_objects_makes_it_detection(form, tmp_path):
    from .test_hf import boxed

    for k in range(2):
        boxed(form).to_parquet(str(tmp_path / f"train-{k}.parquet"))
    samples = read_parquet(parquet_files(tmp_path))
    assert samples.classes == ("cat", "dog")
    assert len(samples) == 4
    assert samples[2].objects.boxes.tolist() == [[1, 2, 4, 6], [0, 0, 2, 2]]
    assert samples[2].objects.classes.tolist() == [1, 0]
    assert samples[2].objects.size == (20, 30)
    assert samples[2].raw.startswith(b"\x89PNG")
    assert samples.origins[2] == "train-1.parquet:0"
    with pytest.raises(DataError, match="no image column named 'photo'"):
        read_parquet(parquet_files(tmp_path), image_column="photo")


def test_boxes_without_the_metadata_of_hugging_face_have_numbers(tmp_path):
    from .conftest import png

    cells = [{"bbox": [[1, 2, 3, 4]], "label": [3]}, None, {"bbox": [[1, 2, 50, 4]], "label": [0]}]
    table = pa.table({"image": [png(20, 30, k) for k in range(3)], "objects": cells})
    pq.write_table(table, tmp_path / "a.parquet")
    samples = read_parquet([tmp_path / "a.parquet"])
    assert samples.classes == ("0", "1", "2", "3")
    assert [len(samples.objects(i)) for i in range(3)] == [1, 0, 1]
    assert "(a.parquet:2, object 1)" in samples.warnings[0]


def test_a_column_called_objects_may_hold_other_things(tmp_path):
    pq.write_table(pa.table({"text": ["a", "b"], "objects": ["x", "y"], "label": [0, 1]}), tmp_path / "a.parquet")
    samples = read_parquet([tmp_path / "a.parquet"])
    assert samples.targets.tolist() == [0, 1]
    assert not samples.has_objects
