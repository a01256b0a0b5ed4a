from __future__ import annotations

import pytest

from speedwell.core.errors import DataError, DataNotFoundError, LabelMismatchError
from speedwell.inputs import is_image_folder, read_folder


@pytest.fixture
def photos(digits, tmp_path):
    for i, (file, label) in enumerate(zip(*digits, strict=True)):
        folder = tmp_path / f"digit {label}"
        folder.mkdir(exist_ok=True)
        (folder / f"{i}.jpg").write_bytes(file)
    return tmp_path


def test_the_folder_is_the_class_and_classes_are_sorted(photos, digits):
    samples = read_folder(photos)
    assert samples.classes == tuple(f"digit {i}" for i in range(10))
    assert len(samples) == 200
    for i in (0, 57, 199):
        number = int(samples.origins[i].split("/")[1].removesuffix(".jpg"))
        assert samples[i].raw == digits[0][number]
        assert samples[i].target == digits[1][number]
    assert is_image_folder(photos)


def test_names_follow_the_model(photos):
    names = [f"digit {9 - i}" for i in range(10)]
    samples = read_folder(photos, names)
    assert samples.classes == tuple(names)
    assert samples.origins[0].startswith("digit 0/")
    assert samples[0].target == 9
    with pytest.raises(LabelMismatchError, match="'digit 0'"):
        read_folder(photos, names[:-1])


def test_hidden_and_other_files_are_left_out_and_loose_images_told(photos, digits):
    (photos / ".cache").mkdir()
    (photos / ".cache" / "a.jpg").write_bytes(b"")
    (photos / "digit 0" / "notes.txt").write_text("no image")
    (photos / "digit 0" / "._0.jpg").write_bytes(b"")
    (photos / "loose.png").write_bytes(digits[0][0])
    (photos / "nobody").mkdir()
    samples = read_folder(photos)
    assert len(samples) == 200
    assert "1 image(s)" in samples.warnings[0]
    assert "nobody" in samples.warnings[1]


def test_folders_inside_a_class_belong_to_it(photos, digits):
    (photos / "digit 3" / "more").mkdir()
    (photos / "digit 3" / "more" / "x.JPEG").write_bytes(digits[0][0])
    samples = read_folder(photos)
    assert samples.targets[samples.origins.index("digit 3/more/x.JPEG")] == 3


def test_a_flat_folder_is_unlabelled(digits, tmp_path):
    for i in range(3):
        (tmp_path / f"{i}.jpg").write_bytes(digits[0][i])
    samples = read_folder(tmp_path)
    assert not samples.labelled
    assert samples.classes == ()
    assert samples[2].target is None


def test_splits_are_no_classes_and_can_be_named(digits, tmp_path):
    root = tmp_path / "root"
    for split in ("train", "test"):
        (root / split / "cat").mkdir(parents=True)
        (root / split / "cat" / "1.jpg").write_bytes(digits[0][0])
    with pytest.raises(DataError, match="test, train, which look like splits") as caught:
        read_folder(root)
    assert str(root / "test") in caught.value.fix
    samples = read_folder(root, split="train")
    assert samples.origins == ["train/cat/1.jpg"]
    with pytest.raises(DataNotFoundError, match="val"):
        read_folder(root, split="val")


def test_a_folder_without_an_image_says_what_is_needed(tmp_path):
    assert not is_image_folder(tmp_path)
    with pytest.raises(DataError, match="holds no image") as caught:
        read_folder(tmp_path)
    assert "one folder per class" in caught.value.fix
