"""Four pictures in one: more objects, more borders and other neighbours in each step of a small data set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...inputs.objects import Objects
from .geometry import FILL, drawn_scale, paste

__all__ = ["mosaic"]

MARGIN = 0.3
"""The four meet at least this share of the side away from every edge, so each shows enough to hold an object."""


def mosaic(
    pictures: Sequence[tuple[np.ndarray, Objects]],
    rng: np.random.Generator,
    scale: tuple[float, float],
    keep: float,
) -> tuple[np.ndarray, Objects]:
    """One picture of the first one's shape, made of four (uint8 [H,W,3] and objects), each at a size drawn from
    ``scale`` and a random part of it. Objects of which a share of ``keep`` or less is left are dropped.

    Source: Bochkovskiy et al. 2020, arXiv:2004.10934. Theirs paints a canvas of twice the side and cuts; here each
    quarter is drawn at its final size, which costs a quarter of the pixels.
    """
    height, width = pictures[0][0].shape[:2]
    across = round(width * rng.uniform(MARGIN, 1 - MARGIN))
    down = round(height * rng.uniform(MARGIN, 1 - MARGIN))
    canvas = np.full_like(pictures[0][0], FILL)
    quarters = (
        (0, 0, across, down),
        (across, 0, width, down),
        (0, down, across, height),
        (across, down, width, height),
    )
    parts = []
    for (picture, objects), quarter in zip(pictures, quarters, strict=True):
        size = drawn_scale(rng, scale)
        x1, y1, x2, y2 = objects.window
        wide, high = max(2, round((x2 - x1) * size)), max(2, round((y2 - y1) * size))
        left = quarter[0] + _offset(rng, quarter[2] - quarter[0] - wide)
        top = quarter[1] + _offset(rng, quarter[3] - quarter[1] - high)
        parts.append(paste(canvas, picture, objects, (left, top, left + wide, top + high), quarter, keep))
    return canvas, Objects(
        np.concatenate([p.boxes for p in parts]),
        np.concatenate([p.classes for p in parts]),
        np.concatenate([p.ignore for p in parts]),
        (height, width),
        (0.0, 0.0, float(width), float(height)),
    )


def _offset(rng: np.random.Generator, room: int) -> int:
    """Anywhere inside where there is room, else any part that fills the quarter."""
    return int(rng.integers(min(room, 0), max(room, 0) + 1))
