from pathlib import Path

import numpy as np
import pytest

from speedwell.workflow import demo_images


def test_images_are_split_and_written_a_folder_per_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_images, "_train", lambda *_: 0.0)  # training is what `make demo` shows
    facts = demo_images.prepare_images(tmp_path)
    names = {n: {p.name for p in (tmp_path / n).rglob("*.png")} for n in ("images", "confirmation")}
    assert len(names["images"]) == facts["search"] == 700
    assert len(names["confirmation"]) == facts["confirmation"] == 1800
    assert sorted(p.name for p in (tmp_path / "images").iterdir()) == list("0123456789")
    assert "def build" in (tmp_path / "network.py").read_text()


@pytest.mark.slow
def test_training_fits_what_it_is_shown(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pixels, labels = rng.integers(0, 255, (50, 28, 28)).astype(np.uint8), np.arange(50) % 10
    assert demo_images._train(pixels, labels, tmp_path / "w.safetensors", 0) > 0
    assert (tmp_path / "w.safetensors").stat().st_size > 50_000
