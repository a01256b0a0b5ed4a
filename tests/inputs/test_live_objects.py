from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from speedwell.core.errors import DataError, LabelMismatchError
from speedwell.inputs import is_live_detection, read_live

from .conftest import png


def pixels(seed=0, height=20, width=30):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def target(boxes=((1, 2, 5, 6),), labels=(1,), **more):
    return {"boxes": np.array(boxes, np.float32).reshape(-1, 4), "labels": np.array(labels), **more}


def test_torchvisions_form_is_read():
    import torch

    data = [
        (torch.from_numpy(pixels(0).transpose(2, 0, 1).copy()), {"boxes": torch.tensor([[1.0, 2, 5, 6], [0, 0, 9, 9]]),
         "labels": torch.tensor([2, 0]), "iscrowd": torch.tensor([0, 1]), "image_id": 3}),
        (Image.fromarray(pixels(1)), {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}),
        (png(20, 30, 2), {"boxes": [[3, 3, 8, 9]], "labels": [1]}),
        (np.zeros((3, 8, 6), np.float32), target([(0, 0, 6, 8)])),
    ]  # fmt: skip
    assert is_live_detection(data)
    for form in (data, iter(data)):
        samples = read_live(form)
        assert samples.classes == ("0", "1", "2")
        assert [samples.objects(i).size for i in range(4)] == [(20, 30), (20, 30), (20, 30), (8, 6)]
        assert samples[0].objects.boxes.tolist() == [[1, 2, 5, 6], [0, 0, 9, 9]]
        assert samples[0].objects.ignore.tolist() == [False, True]
        assert samples[0].raw.shape == (3, 20, 30)
        assert samples.targets.tolist() == [2, 3, 1, 1]
        assert samples.warnings == []


def test_names_come_from_the_caller_or_the_data():
    class Data(list):
        classes = ("cat", "dog")

    assert read_live(Data([(pixels(), target())])).classes == ("cat", "dog")
    assert read_live([(pixels(), target(labels=["dog"]))], ("cat", "dog"))[0].objects.classes.tolist() == [1]
    with pytest.raises(LabelMismatchError, match="label 2 is beyond the 2"):
        read_live([(pixels(), target(labels=[2]))], ("cat", "dog"))


def test_other_values_each_time_and_boxes_outside_are_told():
    class Changing:
        def __init__(self):
            self.seed = 0

        def __len__(self):
            return 4

        def __getitem__(self, i):
            if i >= 4:
                raise IndexError(i)
            self.seed += 1
            return pixels(self.seed), target([(1, 2, 5, 6), (-9, 2, 5, 6)], [0, 0])

    told = read_live(Changing()).warnings
    assert "augmentation" in told[0]
    assert "4 box(es) reach outside the picture" in told[1]
    assert "(Changing[0], object 1)" in told[1]


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ((pixels(), {"boxes": [[0, 0, 1, 1]]}), "has no boxes and labels, but"),
        ((pixels(), 3), "but int"),
        (pixels(), "is a ndarray"),
        ((pixels(), target(labels=[1, 2])), r"1 box\(es\) and 2 label"),
        ((pixels(), {"boxes": [[0, 0, 1]], "labels": [1]}), r"shape \[1, 3\]"),
        ((pixels(), {"boxes": "wide", "labels": [1]}), "no array"),
        ((pixels(), target(labels=[0.5]) | {"labels": [0.5]}), "a label of .* is 0.5"),
        ((pixels(), target(iscrowd=[0, 1])), r"iscrowd \[2\]"),
    ],
)
def test_other_items_are_refused_by_name(item, told):
    with pytest.raises(DataError, match=told):
        read_live([(pixels(1), target()), item])


def test_pairs_with_class_numbers_are_not_detection():
    assert not is_live_detection([(pixels(), 3)])
    assert not is_live_detection([])
    assert not is_live_detection("text")
    assert not read_live([(pixels(), 1), (pixels(1), 0)]).has_objects
