from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from speedwell.core.errors import DataError, LabelMismatchError
from speedwell.inputs import as_numbers, read_live


def test_pairs_lists_and_generators():
    assert [(s.raw, s.target) for s in read_live([("a", 1), ("b", 0)])] == [("a", 1), ("b", 0)]
    assert [(s.raw, s.target) for s in read_live((x, "cat") for x in "ab")] == [("a", 0), ("b", 0)]
    assert [(s.raw, s.target) for s in read_live(["a", "b"])] == [("a", None), ("b", None)]
    assert read_live([("a", "dog"), ("b", None)], ("cat", "dog")).targets.tolist() == [1, -1]


def test_a_torch_dataset_gives_arrays():
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    dataset = TensorDataset(torch.arange(6.0).reshape(3, 2), torch.tensor([0, 2, 1]))
    samples = read_live(dataset)
    assert samples.targets.tolist() == [0, 2, 1]
    assert isinstance(samples[1].raw, np.ndarray)
    assert samples[1].raw.tolist() == [2, 3]
    assert samples.origins[1] == "TensorDataset[1]"
    with pytest.raises(DataError, match="DataLoader") as caught:
        read_live(DataLoader(dataset))
    assert "loader.dataset" in caught.value.fix


class Vision:
    """Like torchvision's: targets beside the images, which are decoded only when asked for."""

    classes = ("cat", "dog")

    def __init__(self, shift=0):
        self.targets = [0, 1, 1, 0]
        self.read = []
        self.shift = shift

    def __len__(self):
        return 4

    def __getitem__(self, i):
        self.read.append(i)
        return Image.new("RGB", (2, 2), (i, 0, 0)), (self.targets[i] + self.shift) % 2


def test_known_targets_spare_reading_the_images():
    vision = Vision()
    samples = read_live(vision)
    assert set(vision.read) == {0}
    assert samples.targets.tolist() == [0, 1, 1, 0]
    assert samples.classes == ("cat", "dog")
    assert read_live(Vision(shift=1)).targets.tolist() == [1, 0, 0, 1]


def test_mappings_have_their_target_inside():
    samples = read_live([{"ids": np.array([1]), "mask": np.array([1]), "labels": 1}, {"text": "x", "label": 0}])
    assert samples[0].raw.keys() == {"ids", "mask"}
    assert samples[1].raw == "x"
    assert samples.targets.tolist() == [1, 0]


def test_random_augmentation_is_told():
    class Noisy(Vision):
        def __getitem__(self, i):
            return np.random.default_rng().random(3), 0

    assert "augmentation" in read_live(Noisy()).warnings[0]


def test_real_numbers_survive_as_targets():
    values = [0.5, -1.0, 0.0, 1e300, None]
    samples = read_live([("x", v) for v in values], numbers=True)
    numbers = as_numbers(samples.targets)
    assert numbers[:4].tolist() == values[:4]
    assert np.isnan(numbers[4])
    assert samples[4].target is None


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ([], "empty"),
        ({"a": 1}, "data is a dict"),
        (3, "data is a int"),
        ([("a", 0.5)], "0.5"),
        ([("a", np.array([0, 1]))], "one-hot"),
        ([("a", object())], "target is a object"),
        ([object()], "a sample is a object"),
    ],
)
def test_what_cannot_be_read_says_what_to_give(data, told):
    with pytest.raises(DataError, match=told):
        read_live(data)


def test_an_unknown_name_is_a_label_mismatch():
    with pytest.raises(LabelMismatchError, match="'owl'"):
        read_live([("a", "owl")], ("cat", "dog"))
