"""The training examples, shortened: each runs as it is, on data that packages bring, and what comes out has learnt."""

from __future__ import annotations

import importlib.util
import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from speedwell.inputs import read_scenes
from speedwell.workflow.demo_texts import docstrings

EXAMPLES = Path(__file__).parent.parent / "examples"
PACKAGES = ("torch", "sympy", "pandas")

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scripts write into the folder they are started in."""
    monkeypatch.chdir(tmp_path)


def example(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    assert len((EXAMPLES / f"{name}.py").read_text().splitlines()) <= 80
    return module


def test_images(tmp_path, monkeypatch):
    from sklearn.datasets import load_digits

    digits = load_digits()
    for i, (picture, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        folder = tmp_path / ("test" if i % 4 == 0 else "train") / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray((15 * picture).astype(np.uint8).repeat(4, 0).repeat(4, 1)).convert("RGB").save(
            folder / f"{i}.png"
        )
    result = example("train_cifar", monkeypatch).main(tmp_path, 0.5)
    assert result.counts["test"] == 450
    assert result.test_low > 0.8  # one in ten by guessing
    assert result.precision in ("float32", "bfloat16")


def test_boxes(tmp_path, monkeypatch):
    folder = tmp_path / "digits"
    scenes = read_scenes("scenes:digits?n=160&seed=5&size=256&part=train")
    for place in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (folder / place).mkdir(parents=True)
    for i in range(len(scenes)):
        sample = scenes[i]
        Image.fromarray(np.asarray(sample.raw)).save(folder / "JPEGImages" / f"{i}.png")
        (folder / "Annotations" / f"{i}.xml").write_text(annotation(i, sample.objects))
    for name, part in (("train", range(110)), ("val", range(110, 130)), ("test", range(130, 160))):
        (folder / "ImageSets/Main" / f"{name}.txt").write_text("".join(f"{i}\n" for i in part))
    result = example("train_bccd", monkeypatch).main(folder, 20.0)
    assert result.counts == {"train": 110, "validation": 20, "test": 30}
    assert result.test > 0.3
    assert (result.folder / "report.html").is_file()


def annotation(number: int, objects) -> str:
    """As VOC has it: pixels count from 1, the last one is included; one name for all digits."""
    boxes = "".join(
        "<object><name>digit</name><bndbox>"
        f"<xmin>{x1 + 1:.0f}</xmin><ymin>{y1 + 1:.0f}</ymin><xmax>{x2:.0f}</xmax><ymax>{y2:.0f}</ymax>"
        "</bndbox></object>"
        for x1, y1, x2, y2 in objects.boxes
    )
    size = "<size><width>256</width><height>256</height><depth>3</depth></size>"
    return f"<annotation><filename>{number}.png</filename>{size}{boxes}</annotation>"


def sentences(count: int) -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        found = list(itertools.islice(docstrings(package), count))
        assert len(found) == count, f"{package} has too few docstrings"
        for text in found:
            yield text, package


def lists(rows: list[tuple[str, str]]) -> dict[str, list[tuple[str, str]]]:
    order = np.random.default_rng(0).permutation(len(rows))
    mixed = [rows[i] for i in order]
    return {"train": mixed[:360], "val": mixed[360:420], "test": mixed[420:]}


def test_sentences(tmp_path, monkeypatch):
    data = tmp_path / "films"
    data.mkdir()
    made = lists([(text, "0" if package == PACKAGES[0] else "1") for text, package in sentences(200)])
    for name, rows in (("train", made["train"]), ("dev", made["val"]), ("test", made["test"])):
        (data / f"{name}.tsv").write_text("".join(f"{text}\t{label}\n" for text, label in rows))
    result = example("train_sst2", monkeypatch).main(data, 3.0)
    assert result.test_low > 2 / 3  # the larger class


def test_intents(tmp_path, monkeypatch):
    data = tmp_path / "intents.json"
    data.write_text(json.dumps(lists(list(sentences(200)))))
    result = example("train_clinc150", monkeypatch).main(data, 4.0)
    assert result.test_low > 0.5  # one in three by guessing
