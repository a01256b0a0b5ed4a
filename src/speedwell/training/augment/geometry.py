"""Moving a picture and its boxes by the same map: mirrored, resized, shifted. No rotation: a turned box is no box."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ...inputs.objects import Objects

__all__ = ["FILL", "flip", "paste", "rescale"]

FILL = 114
"""Grey of what shows no picture, as the letterbox paints it."""

Rectangle = tuple[int, int, int, int]


def flip(picture: np.ndarray, objects: Objects) -> tuple[np.ndarray, Objects]:
    """Left and right exchanged. ``picture``: uint8 [H,W,3]."""
    width = float(picture.shape[1])
    boxes = objects.boxes.copy()
    boxes[:, 0], boxes[:, 2] = width - objects.boxes[:, 2], width - objects.boxes[:, 0]
    x1, y1, x2, y2 = objects.window
    return picture[:, ::-1], replace(objects, boxes=boxes, window=(width - x2, y1, width - x1, y2))


def rescale(
    picture: np.ndarray,
    objects: Objects,
    rng: np.random.Generator,
    scale: tuple[float, float],
    shift: float,
    keep: float,
) -> tuple[np.ndarray, Objects]:
    """The picture at a size drawn from ``scale`` (uniform in its logarithm: halving is as likely as doubling), its
    middle moved by up to ``shift`` of the canvas's sides (it stays on the canvas). What leaves the canvas is cut off;
    an object stays where more than ``keep`` of its area does.
    """
    height, width = picture.shape[:2]
    x1, y1, x2, y2 = objects.window
    size = drawn_scale(rng, scale)
    right, down = rng.uniform(-shift, shift, 2)
    middle = (
        min(max((x1 + x2) / 2 + right * width, 0.0), float(width)),
        min(max((y1 + y2) / 2 + down * height, 0.0), float(height)),
    )
    wide, high = max(2, round((x2 - x1) * size)), max(2, round((y2 - y1) * size))
    left, top = round(middle[0] - wide / 2), round(middle[1] - high / 2)
    canvas = np.full_like(picture, FILL)
    place = (left, top, left + wide, top + high)
    return canvas, paste(canvas, picture, objects, place, (0, 0, width, height), keep)


def paste(
    canvas: np.ndarray, picture: np.ndarray, objects: Objects, place: Rectangle, clip: Rectangle, keep: float
) -> Objects:
    """Draw ``picture``'s window, resized to ``place``, into ``canvas`` (written to) where ``clip`` allows; the objects
    as they lie there.

    ``place`` and ``clip``: x1, y1, x2, y2 in whole pixels of the canvas; they must meet. Whole pixels, because then
    the map of the pixels is the map of the boxes, exactly. Only what will be seen is resized.
    """
    from PIL import Image

    x1, y1, x2, y2 = objects.window
    across, along = (place[2] - place[0]) / (x2 - x1), (place[3] - place[1]) / (y2 - y1)
    seen = (max(place[0], clip[0]), max(place[1], clip[1]), min(place[2], clip[2]), min(place[3], clip[3]))
    box = (
        max(0.0, x1 + (seen[0] - place[0]) / across),
        max(0.0, y1 + (seen[1] - place[1]) / along),
        min(float(picture.shape[1]), x1 + (seen[2] - place[0]) / across),
        min(float(picture.shape[0]), y1 + (seen[3] - place[1]) / along),
    )
    image = Image.fromarray(np.ascontiguousarray(picture))
    part = image.resize((seen[2] - seen[0], seen[3] - seen[1]), Image.Resampling.BILINEAR, box)
    canvas[seen[1] : seen[3], seen[0] : seen[2]] = np.asarray(part)
    window = (float(seen[0]), float(seen[1]), float(seen[2]), float(seen[3]))
    moved = objects.moved((across, along), (place[0] - x1 * across, place[1] - y1 * along))
    return replace(moved.clipped(window, keep), window=window)


def drawn_scale(rng: np.random.Generator, scale: tuple[float, float]) -> float:
    """A factor from ``scale`` (lowest, highest), uniform in its logarithm."""
    return math.exp(rng.uniform(math.log(scale[0]), math.log(scale[1])))
