from __future__ import annotations

import json
import time

import numpy as np
import pytest

from speedwell.core.errors import CorruptSampleError, DataError, DataNotFoundError, LabelMismatchError
from speedwell.inputs import is_coco, read_coco
from speedwell.inputs.coco import _parsed

from .conftest import png

CATEGORIES = [{"id": 7, "name": "dog"}, {"id": 2, "name": "cat"}, {"id": 90, "name": "unused"}]


def image(i, name=None, height=20, width=30):
    return {"id": i, "file_name": name or f"{i}.png", "height": height, "width": width}


def mark(i, picture, category, box, **more):
    return {"id": i, "image_id": picture, "category_id": category, "bbox": box, **more}


def write(folder, images, marks, categories=CATEGORIES, name="annotations.json", pictures="."):
    (folder / pictures).mkdir(parents=True, exist_ok=True)
    for k, one in enumerate(images):
        if ".." not in one["file_name"] and not one["file_name"].startswith("/"):
            (folder / pictures / one["file_name"]).parent.mkdir(parents=True, exist_ok=True)
            (folder / pictures / one["file_name"]).write_bytes(png(20, 30, k))
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"images": images, "annotations": marks, "categories": categories}))
    return path


def test_pictures_come_with_their_objects_in_the_order_of_category_ids(tmp_path):
    marks = [mark(1, 5, 7, [1, 2, 10, 5]), mark(2, 3, 2, [0, 0, 30, 20], iscrowd=1), mark(3, 5, 2, [2.5, 3, 4, 4.25])]
    samples = read_coco(write(tmp_path, [image(5), image(3), image(9)], marks))
    assert samples.classes == ("cat", "dog", "unused")
    assert samples.origins == ["5.png", "3.png", "9.png"]
    first = samples[0].objects
    assert first.boxes.tolist() == [[1, 2, 11, 7], [2.5, 3, 6.5, 7.25]]
    assert first.classes.tolist() == [1, 0]
    assert first.size == (20, 30)
    assert samples[1].objects.ignore.tolist() == [True]
    assert len(samples[2].objects) == 0
    assert samples.targets.tolist() == [0, 3, 3]  # cat and dog are equally rare; a crowd alone counts as nothing
    assert samples[0].raw == png(20, 30, 0)
    assert samples.labelled
    assert samples.has_objects
    assert samples.warnings == []


def test_given_class_names_set_the_numbers(tmp_path):
    path = write(tmp_path, [image(1)], [mark(1, 1, 7, [1, 2, 3, 4]), mark(2, 1, 2, [1, 2, 3, 4])])
    samples = read_coco(path, classes=("bird", "Dog", "cat"))
    assert samples.classes == ("bird", "Dog", "cat")
    assert samples[0].objects.classes.tolist() == [1, 2]
    with pytest.raises(LabelMismatchError, match="'cat'"):
        read_coco(path, classes=("dog", "bird"))


@pytest.mark.parametrize(
    ("name", "pictures"),
    [
        ("a.json", "."),
        ("a.json", "images"),
        ("annotations/instances_val2017.json", "val2017"),
        ("annotations/instances_val2017.json", "images/val2017"),
        ("annotations/train.json", "images/train"),
        ("labels/_annotations.coco.json", "images"),
    ],
)
def test_pictures_are_found_beside_the_file(tmp_path, name, pictures):
    path = write(
        tmp_path, [image(1, "one/1.png"), image(2)], [mark(1, 1, 2, [1, 2, 3, 4])], name=name, pictures=pictures
    )
    assert [s.raw for s in read_coco(path)] == [png(20, 30, 0), png(20, 30, 1)]


def test_the_folder_of_pictures_can_be_named(tmp_path):
    path = write(tmp_path, [image(1)], [mark(1, 1, 2, [1, 2, 3, 4])], pictures="elsewhere")
    assert len(read_coco(path, tmp_path / "elsewhere")) == 1
    with pytest.raises(DataNotFoundError, match=r"none of the 1 pictures of .* is there"):
        read_coco(path)
    with pytest.raises(DataNotFoundError, match="no folder"):
        read_coco(path, tmp_path / "nowhere")


def test_boxes_that_cannot_be_are_mended_or_left_out_and_told(tmp_path):
    marks = [
        mark(1, 1, 2, [-5, 4, 10, 40]),
        mark(2, 1, 2, [40, 0, 5, 5]),
        mark(3, 1, 2, [1, 1, 0, 5]),
        mark(4, 1, 2, [1, 1, 5, -3]),
        mark(5, 1, 2, [float("nan"), 1, 5, 3]),
        mark(6, 1, 2, [None, 1, 5, 3]),
        mark(7, 1, 2, [0, 0, 30.4, 20]),
    ]
    samples = read_coco(write(tmp_path, [image(1)], marks))
    assert samples[0].objects.boxes.tolist() == [[0, 4, 5, 20], [0, 0, 30, 20]]
    told = "\n".join(samples.warnings)
    assert "2 box(es) with NaN or infinity are left out, for example" in told
    assert "2 box(es) without width or height are left out, for example x1, y1, x2, y2 = 1, 1, 1, 6" in told
    assert "1 box(es) lie wholly outside" in told
    assert "= 40, 0, 45, 5 in a picture of 30x20 (annotation 2 of 1.png)" in told
    assert "1 box(es) reach outside the picture and are cut" in told  # 0.4 of a pixel is not worth a word
    assert len(samples.warnings) == 4


def test_a_picture_listed_twice_counts_once(tmp_path):
    marks = [mark(1, 1, 2, [1, 2, 3, 4]), mark(2, 8, 2, [1, 2, 3, 4]), mark(3, 8, 7, [5, 5, 5, 5])]
    samples = read_coco(write(tmp_path, [image(1), image(8, "1.png"), image(2)], marks))
    assert samples.origins == ["1.png", "2.png"]
    assert samples[0].objects.boxes.tolist() == [[1, 2, 4, 6], [5, 5, 10, 10]]
    assert samples.warnings == ["1 picture(s) of annotations.json are listed twice and used once"]


def test_missing_and_broken_pictures_are_bad_samples(tmp_path):
    images = [image(i) for i in range(30)]
    path = write(tmp_path, images, [mark(1, 4, 2, [1, 2, 3, 4])])
    (tmp_path / "3.png").unlink()
    (tmp_path / "5.png").write_bytes(b"no picture")
    samples = read_coco(path)
    assert [b.origin for b in samples.bad] == ["3.png"]
    assert samples[3].objects.boxes.tolist() == [[1, 2, 4, 6]]  # numbers have moved up
    samples.digests()
    assert [b.origin for b in samples.bad] == ["3.png", "5.png"]
    for i in range(10, 20):
        (tmp_path / f"{i}.png").unlink()
    with pytest.raises(CorruptSampleError, match="11 of 30"):
        read_coco(path)


def test_another_size_than_annotated_is_a_bad_sample(tmp_path):
    samples = read_coco(write(tmp_path, [image(1, height=30, width=20)], [mark(1, 1, 2, [1, 2, 3, 4])]))
    with pytest.raises(CorruptSampleError, match=r"1\.png: .* picture of 20x30, it has 30x20 \(stored rotated\?\)"):
        samples[0]
    unsaid = {"id": 1, "file_name": "1.png", "height": 0}
    assert read_coco(write(tmp_path, [unsaid], [mark(1, 1, 2, [1, 2, 3, 4])]))[0].objects.size == (20, 30)


BOX = mark(1, 1, 2, [1, 2, 3, 4])


@pytest.mark.parametrize(
    ("images", "marks", "categories", "error", "told"),
    [
        ([image(1, "../1.png")], [BOX], CATEGORIES, DataError, r"'\.\./1\.png', which leads outside"),
        ([image(1, "/etc/1.png")], [BOX], CATEGORIES, DataError, "outside"),
        ([image(1, "a/../../1.png")], [BOX], CATEGORIES, DataError, "outside"),
        ([image(1)], [mark(1, 1, 5, [1, 2, 3, 4])], CATEGORIES, LabelMismatchError, r"category_id 5; .*\[2, 7, 90\]"),
        ([image(1)], [mark(1, 1, "2", [1, 2, 3, 4])], CATEGORIES, LabelMismatchError, "category_id '2'"),
        ([image(1)], [BOX, mark(1, 9, 2, [1, 2, 3, 4])], CATEGORIES, DataError, r"annotations\[1\] is of image 9"),
        ([image(1)], [mark(1, [], 2, [1, 2, 3, 4])], CATEGORIES, DataError, r"annotations\[0\] is of image \[\]"),
        (
            [image(1)],
            [{"id": 1, "image_id": 1, "caption": "x"}],
            CATEGORIES,
            DataError,
            r"\[0\] has no category_id, bbox",
        ),
        ([image(1)], [BOX, mark(2, 1, 2, [1, 2, 3])], CATEGORIES, DataError, r"annotations\[1\] has bbox \[1, 2, 3\]"),
        ([image(1)], [mark(2, 1, 2, [1, 2, 3])], CATEGORIES, DataError, r"annotations\[0\] has bbox \[1, 2, 3\]"),
        ([image(1)], [mark(2, 1, 2, "wide")], CATEGORIES, DataError, r"annotations\[0\] has bbox 'wide'"),
        ([image(1)], [mark(2, 1, 2, [1, 2, 3, 10**400])], CATEGORIES, DataError, "annotations cannot be read"),
        ([image(1)], [BOX], [{"id": 2}], DataError, r"categories\[0\] has id 2 and name None"),
        ([image(1)], [BOX], [*CATEGORIES, {"id": 2, "name": "owl"}], DataError, r"id 2 of 'cat'"),
        ([image(1)], [BOX], [*CATEGORIES, {"id": 3, "name": "cat"}], DataError, "two categories of one name"),
        ([image(1)], [], CATEGORIES, DataError, "no box that can be used"),
        ([], [], CATEGORIES, DataError, "lists no picture|is there"),
        ([image(1), image(1, "2.png")], [BOX], CATEGORIES, DataError, r"images\[1\] has the id 1 of another"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path, images, marks, categories, error, told):
    with pytest.raises(error, match=told):
        read_coco(write(tmp_path, images, marks, categories))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "holds a list"),
        ('{"images": []}', "holds nothing as 'annotations'"),
        ('{"images": {}, "annotations": [], "categories": []}', "holds a dict as 'images'"),
        ('{"images": [1], "annotations": [], "categories": []}', r"images\[0\] is a int"),
        ('{"images": [{"id": 1}], "annotations": [], "categories": []}', r"images\[0\] has file_name None"),
    ],
)
def test_another_structure_is_a_data_error(tmp_path, text, told):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(DataError, match=told):
        read_coco(path)


def test_it_is_recognised_without_parsing(tmp_path):
    path = write(tmp_path, [image(1)], [BOX])
    assert is_coco(path)
    for name, text in [("b.json", '[{"text": "a"}]'), ("c.json", ""), ("d.json", '{"images": [], "rows": []}')]:
        (tmp_path / name).write_text(text)
        assert not is_coco(tmp_path / name)
    assert not is_coco(tmp_path)
    assert not is_coco(tmp_path / "none.json")
    with pytest.raises(DataNotFoundError):
        read_coco(tmp_path / "none.json")


def test_outlines_are_dropped_while_parsing_and_a_large_file_is_quick(tmp_path):
    """250,000 boxes, 30 MB; a few seconds would do on a slow machine."""
    images = [image(i) for i in range(2000)]
    rng = np.random.default_rng(0)
    marks = [
        mark(i, int(k), 2, [1.5, 2.25, 3.0, 4.125], segmentation=[[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])
        for i, k in enumerate(rng.integers(0, 2000, 250_000))
    ]
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "0.png").write_bytes(png(20, 30))
    for i in range(1, 2000):
        (tmp_path / "images" / f"{i}.png").hardlink_to(tmp_path / "images" / "0.png")
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"images": images, "annotations": marks, "categories": CATEGORIES}))
    start = time.process_time()
    samples = read_coco(path)
    assert time.process_time() - start < 10
    assert sum(len(samples.objects(i)) for i in range(2000)) == 250_000
    assert "segmentation" not in _parsed(path)["annotations"][0]
