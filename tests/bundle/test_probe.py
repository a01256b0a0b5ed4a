from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedwell.bundle import Probe, generate_inputs
from speedwell.bundle.probe import load_arrays, save_arrays
from speedwell.core import Signature, TensorSpec
from speedwell.core.errors import BundleVerificationError

TEXT = Signature(
    (
        TensorSpec("ids", "int64", ("batch", "sequence")),
        TensorSpec("mask", "int32", ("batch", "sequence")),
        TensorSpec("x", "float32", ("batch", 3)),
        TensorSpec("flag", "bool", ("batch",)),
    ),
    (),
)


def test_equal_seeds_give_equal_inputs_that_fit_the_signature() -> None:
    sizes = {"batch": 2, "sequence": 5}
    one = generate_inputs(TEXT, sizes, 3, {"ids": (10, 20)})
    TEXT.check(one)
    assert all(
        np.array_equal(a, b)
        for a, b in zip(one.values(), generate_inputs(TEXT, sizes, 3, {"ids": (10, 20)}).values(), strict=True)
    )
    assert not np.array_equal(one["x"], generate_inputs(TEXT, sizes, 4)["x"])
    assert one["ids"].min() >= 10
    assert one["ids"].max() < 20
    assert set(np.unique(one["mask"])) <= {0, 1}
    with pytest.raises(KeyError):
        generate_inputs(TEXT, {"batch": 2}, 0)


@given(st.integers(0, 2**31), st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=20))
def test_a_probe_comes_back_and_equal_ones_give_equal_bytes(seed: int, values: list[float]) -> None:
    probe = Probe(seed, {"x/y": np.array(values, np.float32)}, {"z": np.array([[1, 2]])}, 0.01)
    back = Probe.unpack(probe.pack())
    assert (back.seed, back.tolerance) == (seed, 0.01)
    assert np.array_equal(back.inputs["x/y"], probe.inputs["x/y"])
    assert back.outputs["z"].dtype == probe.outputs["z"].dtype
    assert back.pack() == probe.pack()


def test_differences_are_relative_to_the_spread_and_infinite_for_what_is_no_answer() -> None:
    expected = np.array([[0.0, 10.0], [20.0, 30.0]])
    probe = Probe(0, {}, {"y": expected}, 0.1)
    assert probe.differences({"y": expected.copy()}) == {"y": 0.0}
    assert probe.differences({"y": expected + expected.std() / 100})["y"] == pytest.approx(0.01)
    assert probe.passes({"y": expected + 0.5})
    assert not probe.passes({"y": expected + 5})
    for wrong in ({}, {"y": expected[:1]}, {"y": expected * np.nan}):
        assert probe.differences(wrong)["y"] == float("inf")
    constant = Probe(0, {}, {"y": np.zeros(3)}, 0.1)
    assert not constant.passes({"y": np.ones(3)})


def test_what_is_no_probe_is_a_typed_error() -> None:
    buffer = io.BytesIO()
    save_arrays(buffer, {"other": np.zeros(1)})
    objects = io.BytesIO()
    np.savez(objects, seed=np.array([{"a": 1}], dtype=object))
    for data in (b"", b"PK", buffer.getvalue(), objects.getvalue(), Probe(0, {}, {}, 1.0).pack()[:-9]):
        with pytest.raises(BundleVerificationError):
            Probe.unpack(data)


def test_a_probe_that_would_unpack_to_gigabytes_is_not_unpacked() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", bytes(300 << 20))
    assert len(buffer.getvalue()) < 1 << 20
    with pytest.raises(BundleVerificationError, match="unpacks to"):
        load_arrays(buffer.getvalue(), "probe.npz")
