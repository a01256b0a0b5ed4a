from __future__ import annotations

import numpy as np
import pytest

from speedwell.core import TensorSpec
from speedwell.core.errors import CorruptSampleError, InputMismatchError, UsageError
from speedwell.inputs import ArrayTransform, Transform

IDS = TensorSpec("ids", "int64", ("batch", "sequence"))
IMAGE = TensorSpec("x", "float32", ("batch", 2, 3))


def test_samples_are_cast_and_stacked():
    transform = ArrayTransform((IMAGE,))
    raws = [np.full((2, 3), i, np.float64) for i in range(3)]
    out = transform.finish([transform.encode(r) for r in raws])["x"]
    assert out.shape == (3, 2, 3)
    assert out.dtype == np.float32
    assert out[2].tolist() == raws[2].tolist()


def test_lengths_that_differ_are_padded_with_zeros():
    transform = ArrayTransform((IDS,))
    out = transform.finish([transform.encode([1, 2, 3]), transform.encode(np.array([4]))])["ids"]
    assert out.tolist() == [[1, 2, 3], [4, 0, 0]]
    assert transform.ragged == ("ids",)


def test_several_inputs_go_by_name_or_by_place():
    transform = ArrayTransform((IDS, IMAGE))
    by_name = transform.encode({"x": np.zeros((2, 3)), "ids": [1], "more": 1})
    by_place = transform.encode(([1], np.zeros((2, 3))))
    assert {k: v.tolist() for k, v in by_name.items()} == {k: v.tolist() for k, v in by_place.items()}


def test_a_number_per_sample_is_a_sample():
    transform = ArrayTransform((TensorSpec("v", "float32", ("batch",)),))
    assert transform.finish([transform.encode(1), transform.encode(2.5)])["v"].tolist() == [1.0, 2.5]


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (np.zeros((3, 2)), r"\(3, 2\), the model takes \[2, 3\]"),
        (np.zeros((1, 2, 3)), r"\(1, 2, 3\)"),
        (np.zeros((2, 3), complex), "complex128"),
        ({"y": 1}, r"no \['x'\]"),
        ([[1], [1, 2]], "not an array"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_fits(raw, told):
    with pytest.raises(InputMismatchError, match=told):
        ArrayTransform((IMAGE,)).encode(raw)


def test_floats_are_no_ids_and_large_numbers_do_not_wrap():
    with pytest.raises(InputMismatchError, match="float64, the model takes int64"):
        ArrayTransform((IDS,)).encode([0.5])
    with pytest.raises(InputMismatchError, match="outside the range of int8"):
        ArrayTransform((TensorSpec("a", "int8", ("batch", 1)),)).encode([300])


def test_nan_is_a_corrupt_sample():
    with pytest.raises(CorruptSampleError, match="NaN"):
        ArrayTransform((IMAGE,)).encode(np.full((2, 3), np.nan))


def test_an_unknown_shape_takes_anything():
    assert ArrayTransform((TensorSpec("x", "float32", ()),)).encode(np.zeros((5, 6)))["x"].shape == (5, 6)


def test_it_is_stored_with_symbols_and_numbers(tmp_path):
    made = ArrayTransform((IDS, IMAGE))
    made.save(tmp_path)
    assert Transform.open(tmp_path) == made


def test_no_input_or_a_name_twice_is_refused():
    with pytest.raises(UsageError, match="inputs are"):
        ArrayTransform(())
    with pytest.raises(UsageError, match="Name each input once"):
        ArrayTransform((IDS, IDS))
