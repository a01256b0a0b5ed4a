from __future__ import annotations

import json

import pytest

from speedwell.core.errors import DataError, DataNotFoundError, LabelMismatchError
from speedwell.inputs import is_hf_detection, read_hf_detection

from .conftest import png


def row(name="a.png", boxes=((1, 2, 3, 4),), labels=("dog",), **more):
    return {"file_name": name, "objects": {"bbox": [list(b) for b in boxes], "category": list(labels), **more}}


def write(folder, rows, pictures=("a.png", "b.png")):
    folder.mkdir(parents=True, exist_ok=True)
    for k, name in enumerate(pictures):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(png(20, 30, k))
    lines = [r if isinstance(r, str) else json.dumps(r) for r in rows]
    (folder / "metadata.jsonl").write_text("\n".join(lines))
    return folder


def test_rows_become_pictures_with_objects(tmp_path):
    rows = [row(boxes=[(1, 2, 3, 4), (0, 0, 5, 5)], labels=["dog", "cat"], iscrowd=[0, 1]), "", row("b.png")]
    assert is_hf_detection(write(tmp_path, rows))
    samples = read_hf_detection(tmp_path)
    assert samples.classes == ("cat", "dog")
    assert samples[0].objects.boxes.tolist() == [[1, 2, 4, 6], [0, 0, 5, 5]]
    assert samples[0].objects.ignore.tolist() == [False, True]
    assert samples[0].objects.size == (20, 30)
    assert [s.raw for s in samples] == [png(20, 30, 0), png(20, 30, 1)]
    assert read_hf_detection(tmp_path, ("dog", "cat"))[0].objects.classes.tolist() == [0, 1]
    with pytest.raises(LabelMismatchError, match="'dog'"):
        read_hf_detection(tmp_path, ("cat",))


def test_other_forms_of_a_row_are_read(tmp_path):
    rows = [
        {"file_name": "a.png", "objects": [{"bbox": [1, 2, 3, 4], "label": 2}, {"bbox": [0, 0, 2, 2], "label": 0}]},
        {"file_name": "in/b.png", "objects": {"bbox": [], "categories": []}},
        {"file_name": "c.png", "objects": None},
        {"file_name": "d.png", "objects": []},
    ]
    samples = read_hf_detection(write(tmp_path, rows, ["a.png", "in/b.png", "c.png", "d.png"]))
    assert samples.classes == ("0", "1", "2")
    assert [len(samples.objects(i)) for i in range(4)] == [2, 0, 0, 0]
    assert samples.targets.tolist() == [0, 3, 3, 3]


def test_splits_are_folders_and_must_be_named(tmp_path):
    write(tmp_path / "train", [row()])
    write(tmp_path / "test", [row("b.png")])
    assert is_hf_detection(tmp_path)
    assert read_hf_detection(tmp_path, split="test").origins == ["test/b.png"]
    with pytest.raises(DataNotFoundError) as caught:
        read_hf_detection(tmp_path)
    assert "test, train" in caught.value.fix
    with pytest.raises(DataError, match="outside"):
        read_hf_detection(tmp_path, split="../x")


def test_a_picture_listed_twice_counts_once(tmp_path):
    samples = read_hf_detection(write(tmp_path, [row(), row(labels=["cat"]), row()]))
    assert samples[0].objects.classes.tolist() == [1, 0]
    assert "2 picture(s)" in samples.warnings[0]


@pytest.mark.parametrize(
    ("rows", "error", "told"),
    [
        ([row(), "{"], DataError, r"jsonl:2 is not JSON"),
        ([row(), "[1]"], DataError, "jsonl:2 is a list"),
        ([{"objects": {"bbox": []}}], DataError, "jsonl:1 has file_name None"),
        ([row("../a.png")], DataError, r"jsonl:1 names the picture '\.\./a\.png', which leads outside"),
        ([row("C:\\a.png")], DataError, "outside"),
        ([row(), {"file_name": "b.png", "objects": 3}], DataError, "jsonl:2: objects have no bbox"),
        ([row(labels=["a", "b"])], DataError, r"jsonl:1: 1 box\(es\), 2 categories"),
        ([row(labels=[None])], DataError, r"categories are \[None\]"),
        ([row(labels=[1.5])], DataError, r"categories are \[1.5\]"),
        ([{"file_name": "a.png", "objects": {"bbox": [[1, 2, 3, 4]]}}], DataError, "no category but bbox"),
        ([row(boxes=[(1, 2, 3)])], DataError, r"a bbox is \[1, 2, 3\]"),
        ([row(boxes=["wide"])], DataError, "a bbox is"),
        ([row("c.png")], DataNotFoundError, "none of the 1"),
        ([row(boxes=[], labels=[])], DataError, "no box"),
        ([], DataError, "is there"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path, rows, error, told):
    with pytest.raises(error, match=told):
        read_hf_detection(write(tmp_path, rows))


def test_boxes_outside_are_told_with_the_row(tmp_path):
    samples = read_hf_detection(write(tmp_path, [row(), row("b.png", [(1, 1, 2, 2), (50, 1, 2, 2)], ["dog", "dog"])]))
    assert "outside" in samples.warnings[0]
    assert "(metadata.jsonl:2, object 2)" in samples.warnings[0]


def test_other_metadata_is_not_detection(tmp_path):
    assert not is_hf_detection(tmp_path)
    for text in ('{"file_name": "a.png", "text": "x"}', "{", "", '{"objects": {"mask": []}}', "[1]"):
        (tmp_path / "metadata.jsonl").write_text(text)
        assert not is_hf_detection(tmp_path)
