from __future__ import annotations

import numpy as np
import pytest

from speedwell.core.errors import DataError, DataNotFoundError
from speedwell.inputs import read_npz


def test_encoded_images_end_to_end(digits, tmp_path):
    files, labels = digits
    offsets = np.cumsum([0] + [len(f) for f in files])
    names = [f"digit {i}" for i in range(10)]
    np.savez(tmp_path / "d.npz", blob=np.frombuffer(b"".join(files), np.uint8), offsets=offsets, labels=labels,
             classes=names)  # fmt: skip
    samples = read_npz(tmp_path / "d.npz")
    assert [samples[i].raw for i in range(200)] == files
    assert samples.targets.tolist() == labels
    assert samples.classes == tuple(names)
    assert samples.origins[7] == "d.npz:7"
    assert read_npz(tmp_path / "d.npz", names[::-1]).targets.tolist() == [9 - y for y in labels]


def test_arrays_of_pixels(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (6, 4, 5, 3), dtype=np.uint8)
    np.savez_compressed(tmp_path / "a.npz", images=images, labels=np.array(["x", "y"] * 3))
    samples = read_npz(tmp_path / "a.npz")
    assert np.array_equal(samples[3].raw, images[3])
    assert samples.classes == ("x", "y")
    assert samples.targets.tolist() == [0, 1] * 3


def test_other_arrays_are_inputs_by_name_without_labels(tmp_path):
    np.savez(tmp_path / "a.npz", ids=np.arange(8).reshape(4, 2), mask=np.ones((4, 2)))
    samples = read_npz(tmp_path / "a.npz")
    assert {k: v.tolist() for k, v in samples[1].raw.items()} == {"ids": [2, 3], "mask": [1, 1]}
    assert not samples.labelled


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"blob": np.zeros(9, np.uint8), "offsets": [0, 4, 10]}, "offsets do not fit"),
        ({"blob": np.zeros(9, np.uint8), "offsets": [0, 5, 4]}, "offsets do not fit"),
        ({"blob": np.zeros(9, np.uint8), "offsets": [-1, 5]}, "offsets do not fit"),
        ({"images": np.zeros((3, 2, 2), np.uint8), "labels": [1, 2]}, r"shape \(2,\) for 3"),
        ({"images": np.zeros((2, 2, 2), np.uint8), "labels": [0.5, 1]}, "float64"),
        ({"images": np.zeros((0, 2, 2), np.uint8)}, "no sample"),
        ({"a": np.zeros(2), "b": np.zeros(3)}, r"a \[2\], b \[3\]"),
        ({"a": np.array([{}, {}], object)}, "pickle"),
    ],
)
def test_layouts_that_cannot_be_are_refused(tmp_path, arrays, told):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=told):
        read_npz(tmp_path / "a.npz")


def test_a_file_that_is_none_is_refused(tmp_path):
    with pytest.raises(DataNotFoundError):
        read_npz(tmp_path / "a.npz")
    (tmp_path / "a.npz").write_bytes(b"not a zip")
    with pytest.raises(DataError, match="cannot read"):
        read_npz(tmp_path / "a.npz")
