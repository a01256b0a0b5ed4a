"""A small real world of object detection: red and green squares on noise, and a network that finds them.

Nothing is trained: the network measures how much of a colour lies in a cell and where its centre of mass is, which is
linear in the pixels, so its weights are written down. It is right about most squares and wrong where two touch. It
adds 0 eighty times, so that what wins is faster by far and no noise of the machine says otherwise.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import numpy as np

SIDE, HEIGHT, SQUARE = 64, 48, 16
CLASSES = ("red", "green")

NETWORK = '''
    """Squares, red or green: where?"""

    import torch
    from torch import nn

    SIDE, STRIDE, REACH = 64, 8, 24


    class Finder(nn.Module):
        """float [N, 3, 64, 64] to boxes [N, 64, 4], in strides from a cell's centre, and scores [N, 64, 2], logits."""

        def __init__(self):
            super().__init__()
            self.smooth = nn.Conv2d(3, 8, 3, padding=1)
            self.relu = nn.ReLU()
            self.scores = nn.Conv2d(8, 2, REACH, STRIDE, STRIDE)
            self.boxes = nn.Conv2d(8, 4, REACH, STRIDE, STRIDE)
            self.preprocessing = {"image": {"size": [SIDE, SIDE], "scale": 1 / 255}}
            self.detection = {"style": "grid", "strides": [STRIDE], "size": [SIDE, SIDE]}
            self.classes = ["red", "green"]
            self._write()

        def _write(self):
            at = torch.arange(REACH) - (REACH - 1) / 2
            near = ((at.abs() < 8).float()[:, None] * (at.abs() < 8).float()).div(256)
            around = torch.ones(REACH, REACH).div(REACH * REACH)
            with torch.no_grad():
                for part in (self.smooth, self.scores, self.boxes):
                    part.weight.zero_()
                    part.bias.zero_()
                for channel in range(6):  # a colour beyond the other two, in three strengths
                    colour = channel % 2
                    self.smooth.weight[channel, :, 1, 1] = -0.5
                    self.smooth.weight[channel, colour, 1, 1] = 1.0
                    self.smooth.bias[channel] = -0.05 * (1 + channel // 2)
                for colour in range(2):
                    self.scores.weight[colour, colour] = 90 * near - 60 * around
                    self.scores.bias[colour] = -8.0
                    moved = at.expand(REACH, REACH).div(256 * 0.55 * STRIDE)
                    for edge, (sign, axis) in enumerate(((-1, 1), (-1, 0), (1, 1), (1, 0))):
                        self.boxes.weight[edge, colour] = sign * (moved if axis else moved.T)
                self.boxes.bias.fill_(1.0)

        def forward(self, image):
            found = self.relu(self.smooth(image))
            for _ in range(80):  # costs PyTorch a call each, and nobody who reads the graph
                found = found + 0.0
            scores, boxes = self.scores(found), torch.relu(self.boxes(found))
            return {"boxes": boxes.flatten(2).transpose(1, 2), "scores": scores.flatten(2).transpose(1, 2)}


    def build():
        return Finder()
'''


def squares(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One picture of 96x128, twice as large as the network sees it: uint8, boxes float32 [k,4], classes int64 [k]."""
    small = rng.integers(20, 60, (HEIGHT, SIDE, 3))
    boxes: list[list[int]] = []
    classes = []
    for _ in range(int(rng.integers(0, 5))):
        side = int(rng.integers(SQUARE - 2, SQUARE + 3))
        x, y = int(rng.integers(0, SIDE - side)), int(rng.integers(0, HEIGHT - side))
        if any(abs(x - b[0]) < SQUARE and abs(y - b[1]) < SQUARE for b in boxes):
            continue
        colour = int(rng.integers(2))
        small[y : y + side, x : x + side, colour] += int(rng.integers(110, 180))
        boxes.append([x, y, x + side, y + side])
        classes.append(colour)
    small = np.clip(small + rng.integers(-15, 15, small.shape), 0, 255).astype(np.uint8)
    pixels = small.repeat(2, axis=0).repeat(2, axis=1)
    return pixels, 2 * np.array(boxes, np.float32).reshape(-1, 4), np.array(classes, np.int64)


def write_factory(folder: Path) -> str:
    """``finder.py`` in ``folder``: the reference."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "finder.py").write_text(textwrap.dedent(NETWORK).lstrip())
    return f"{folder / 'finder.py'}:build"


def write_coco(folder: Path, n: int, seed: int) -> Path:
    """``n`` pictures in ``images/`` and ``annotations.json``, which is returned."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    for i in range(n):
        pixels, boxes, classes = squares(rng)
        Image.fromarray(pixels).save(folder / "images" / f"{i:04d}.png")
        images.append({"id": i, "file_name": f"{i:04d}.png", "height": pixels.shape[0], "width": pixels.shape[1]})
        for (x1, y1, x2, y2), label in zip(boxes.tolist(), classes.tolist(), strict=True):
            annotations.append(
                {
                    "id": len(annotations), "image_id": i, "category_id": label, "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "area": (x2 - x1) * (y2 - y1), "iscrowd": 0,
                }
            )  # fmt: skip
    categories = [{"id": i, "name": name} for i, name in enumerate(CLASSES)]
    path = folder / "annotations.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path
