from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from speedwell.core.errors import InputMismatchError
from speedwell.workflow.opened import Answer


def test_it_says_what_it_reads(live_run: Any) -> None:
    assert live_run.best.reads in ("images", "arrays")
    assert live_run.best.facts()["provider"]


def test_tensors_by_name_give_outputs_by_name(live_run: Any) -> None:
    (name,) = live_run.best.manifest.signature.input_names
    outputs = live_run.best({name: np.zeros((1, 1, 8, 8), np.float32)})
    assert list(outputs) == list(live_run.best.manifest.signature.output_names)
    np.testing.assert_allclose(
        live_run.best(np.zeros((1, 1, 8, 8), np.float32))[next(iter(outputs))], next(iter(outputs.values()))
    )


def test_a_tensor_of_another_shape_is_refused(live_run: Any) -> None:
    (name,) = live_run.best.manifest.signature.input_names
    with pytest.raises(InputMismatchError, match="has shape"):
        live_run.best({name: np.zeros((1, 3, 8, 8), np.float32)})


def test_nothing_in_nothing_out(live_run: Any) -> None:
    assert live_run.best([]) == []


def test_an_answer_reads_as_its_label_or_number() -> None:
    assert str(Answer(2, "", np.zeros(3))) == "2"
    assert str(Answer(2, "cat", np.zeros(3))) == "cat"
    assert Answer(2, "cat", np.array([1, 2], np.float32)).as_dict() == {
        "index": 2, "label": "cat", "scores": [1.0, 2.0],
    }  # fmt: skip


def test_a_file_that_is_no_image_is_named(folder_run: Any, tmp_path: Path) -> None:
    """Whatever was handed over for images reads files, by path."""
    if folder_run.best is None:
        assert folder_run.sentence.startswith("Keep the original")
        return
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    assert 0 <= folder_run.best(tmp_path / "a.png").index < 10
