"""What is done to pictures with objects while training: a frozen record, and the function that follows it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ...core.errors import UsageError
from ...inputs.objects import Objects
from .geometry import flip, rescale
from .mosaic import mosaic

__all__ = ["DetectionAugmentation", "augment", "recolour"]

GREY = np.array([0.299, 0.587, 0.114])
"""Luma of ITU-R BT.601."""


@dataclass(frozen=True)
class DetectionAugmentation:
    """Everything is off at its default.

    ``flip``: share of pictures mirrored left to right (0 where a mirrored object is another one: digits).
    ``scale``: lowest and highest size. ``shift``: share of the side. ``mosaic``: share of samples made of four
    pictures. ``colour``: strength, 0..1. ``keep``: an object of which this share of its area or less is left after a
    cut is dropped (what is left of it is background then, so not too high: 0.3).
    Raises ``UsageError`` for values out of range.
    """

    flip: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    shift: float = 0.0
    mosaic: float = 0.0
    colour: float = 0.0
    keep: float = 0.3

    def __post_init__(self) -> None:
        for name in ("flip", "shift", "mosaic", "colour", "keep"):
            value = getattr(self, name)
            if not (math.isfinite(value) and 0 <= value <= 1):
                raise UsageError(f"the augmentation's {name} is {value!r}", "Give a share from 0 to 1.")
        if not 0.05 <= self.scale[0] <= self.scale[1] <= 20:
            raise UsageError(
                f"the augmentation's scale is {list(self.scale)}", "Give the lowest and the highest size: [0.5, 1.5]."
            )


def augment(
    index: int,
    read: Callable[[int], tuple[np.ndarray, Objects]],
    count: int,
    rng: np.random.Generator,
    options: DetectionAugmentation,
) -> tuple[np.ndarray, Objects]:
    """Sample ``index`` of ``count`` as training is to see it: uint8 [H,W,3] and its objects, new ones.

    ``read(i)``: picture (uint8 [H,W,3], one shape for all) and placed objects of sample i; called four times for a
    mosaic. The result depends on the arguments alone.
    """
    if rng.random() < options.mosaic:
        picked = [index, *rng.integers(0, count, 3).tolist()]
        picture, objects = mosaic([read(i) for i in picked], rng, options.scale, options.keep)
    else:
        picture, objects = read(index)
        if options.scale != (1.0, 1.0) or options.shift:
            picture, objects = rescale(picture, objects, rng, options.scale, options.shift, options.keep)
    if rng.random() < options.flip:
        picture, objects = flip(picture, objects)
    if options.colour:
        picture = recolour(picture, objects, rng, options.colour)
    return np.ascontiguousarray(picture), replace(objects, boxes=objects.boxes.copy())


def recolour(picture: np.ndarray, objects: Objects, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Brightness, contrast and saturation by factors between about 0.67 and 1.5 at strength 1, each channel's gain by
    0.9 to 1.1; in the window only, so the fill stays the colour that the network will meet.

    All four are linear in a pixel's three values, so they are one matrix and one pass.
    """
    from PIL import Image

    bright, contrast, saturation = np.exp(strength * rng.uniform(-0.4, 0.4, 3))
    gains = np.exp(strength * rng.uniform(-0.1, 0.1, 3))
    colours = saturation * np.eye(3) + (1 - saturation) * GREY[None, :]
    matrix = bright * contrast * gains[:, None] * colours
    offset = np.full((3, 1), bright * (1 - contrast) * 127.5)
    x1, y1, x2, y2 = objects.window
    inside = (slice(math.floor(y1), math.ceil(y2)), slice(math.floor(x1), math.ceil(x2)))
    image = Image.fromarray(np.ascontiguousarray(picture[inside]))
    result = picture.copy()
    result[inside] = np.asarray(image.convert("RGB", tuple(np.hstack([matrix, offset]).ravel().tolist())))
    return result
