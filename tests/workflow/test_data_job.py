from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_world as w

from speedwell.core import Model, Origin, Signature, TensorSpec
from speedwell.core.errors import InputMismatchError, ResumeError, UsageError
from speedwell.inputs import EncodedSplit
from speedwell.workflow.data_job import encode_confirmation, generate_feeds, prepare_data, prepare_side

IMAGE = Signature(
    (TensorSpec("image", "float32", ("batch", 1, 8, 8)),), (TensorSpec("scores", "float32", ("batch", 10)),)
)


def reader(signature: Signature = IMAGE, **hints: Any) -> Model:
    return Model("onnx", Path("reader.onnx"), signature, Origin("onnx", "reader.onnx", {}, hints), frozenset(), "0")


def prepared(world: Path, folder: Path, **changes: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "model": reader(), "task": None, "sets": {"data": str(world / "scans")}, "options": w.IMAGES, "folder": folder,
        "seed": 0, "batch": 1, "threads": 1, **changes,
    }  # fmt: skip
    return prepare_data(**arguments)


def test_splits_are_disjoint_and_the_same_for_the_same_seed(world: Path, tmp_path: Path) -> None:
    first, second = (tmp_path / n for n in ("a", "b"))
    facts = [prepared(world, f)["data"] for f in (first, second)]
    assert facts[0]["counts"] == facts[1]["counts"]
    assert sum(facts[0]["counts"].values()) == 1397
    digests = {n: set(EncodedSplit.open(first / n).digests) for n in ("calibration", "selection")}
    assert not digests["calibration"] & digests["selection"]
    assert digests["selection"] == set(EncodedSplit.open(second / "selection").digests)
    encode_confirmation(reader(), "image-classification", {"data": str(world / "scans")}, w.IMAGES, first, 0, 100)
    sealed = EncodedSplit.open(first / "confirmation")
    assert len(sealed) == 100
    assert not set(sealed.digests) & (digests["calibration"] | digests["selection"])


def test_data_that_changed_since_is_not_confirmed_on(world: Path, tmp_path: Path) -> None:
    pixels, labels = w.digits()
    folder = w.write_images(tmp_path / "scans", pixels[400:700], labels[400:700])
    prepared(world, tmp_path / "data", sets={"data": str(folder)})
    next(folder.rglob("*.png")).unlink()
    with pytest.raises(ResumeError, match="no longer what it was"):
        encode_confirmation(
            reader(), "image-classification", {"data": str(folder)}, w.IMAGES, tmp_path / "data", 0, 100
        )


def test_what_is_checked_holds_real_samples_and_an_edge(world: Path, tmp_path: Path) -> None:
    answer = prepared(world, tmp_path, batch=4)
    names = [Path(p).name for p in answer["checks"]]
    assert "check-zeros.npz" in names
    for path in answer["checks"]:
        with np.load(path) as arrays:
            assert arrays["image"].shape == (4, 1, 8, 8)


def test_every_sample_once_for_a_comparison(world: Path, tmp_path: Path) -> None:
    facts = prepare_side(reader(), str(world / "scans"), None, w.IMAGES, tmp_path, 1, 1, None)
    split = EncodedSplit.open(tmp_path / "all")
    assert facts["n"] == len(split) == len(set(split.digests))


def test_inputs_are_made_from_the_signature(tmp_path: Path) -> None:
    answer = generate_feeds(reader(), None, {}, tmp_path, 0, 2, 1)
    with np.load(answer["feeds"][0]) as arrays:
        assert arrays["image"].shape == (2, 1, 8, 8)
    assert answer["workloads"][0]["shapes"] == {"image": [2, 1, 8, 8]}
    text = Signature(tuple(TensorSpec(n, "int64", ("batch", "s")) for n in ("input_ids", "attention_mask")), ())
    made = generate_feeds(reader(text), None, {}, tmp_path, 0, 1, 1)
    with np.load(made["feeds"][0]) as arrays:
        assert (arrays["attention_mask"] == 1).all()
        assert arrays["input_ids"].dtype == np.int64


def test_what_the_signature_does_not_say_must_be_told(tmp_path: Path) -> None:
    unknown = Signature((TensorSpec("image", "", ()),), ())
    with pytest.raises(UsageError, match="--size 224"):
        generate_feeds(reader(unknown), None, {}, tmp_path, 0, 1, 1)
    made = generate_feeds(reader(unknown), None, {"size": [16, 24]}, tmp_path, 0, 1, 1)
    assert made["workloads"][0]["shapes"] == {"image": [1, 3, 16, 24]}
    fixed = Signature((TensorSpec("image", "float32", (2, 3, 8, 8)),), ())
    with pytest.raises(InputMismatchError, match="--batch 2"):
        generate_feeds(reader(fixed), None, {}, tmp_path, 0, 1, 1)
