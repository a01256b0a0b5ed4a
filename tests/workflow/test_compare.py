from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_world as w

import speedwell
from speedwell.core.errors import DataNotFoundError, UsageError


def test_a_network_against_itself_keeps_everything(world: Path) -> None:
    found = speedwell.compare(
        world / "reader.onnx", world / "reader.onnx", data=world / "scans", rounds=0, threads=1, **w.IMAGES
    )
    assert found.accuracy.verdict.value == "kept"
    assert (found.accuracy.n12, found.accuracy.n21) == (0, 0)
    assert found.n == 1397
    assert found.speed == ()
    assert "Accuracy   kept" in found.text


def test_unlabelled_samples_compare_answers(world: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", images=w.digits()[0][400:900])
    found = speedwell.compare(
        world / "reader.onnx", world / "reader.onnx", data=tmp_path / "d.npz", agree="98%", rounds=0, threads=1,
        **w.IMAGES,
    )  # fmt: skip
    assert found.accuracy.verdict.holds
    assert found.n == 500


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({}, UsageError, "compare needs data"),
        ({"data": "nowhere"}, DataNotFoundError, "--data"),
        ({"data": ".", "max_drop": "5q"}, UsageError, "1pt"),
    ],
)
def test_bad_calls_are_typed_errors(world: Path, arguments: dict[str, Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        speedwell.compare(world / "reader.onnx", world / "reader.onnx", **arguments)
