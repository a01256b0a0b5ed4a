"""Augmentation of image batches as bytes: crop, flip, zoom, cutout. A function of (pixels, strengths, generator)."""

from __future__ import annotations

import numpy as np

from ..recipe import Augment
from .geometry import FILL

__all__ = ["augmented"]


def augmented(pixels: np.ndarray, augment: Augment, rng: np.random.Generator) -> np.ndarray:
    """New pixels of the same shape, uint8 [N, H, W, C]; what strengths of zero leave alone is returned as it is."""
    if augment.zoom < 1:
        pixels = _zoomed(pixels, augment.zoom, rng)
    if augment.crop or augment.flip:
        pixels = _cropped(pixels, augment.crop, augment.flip, rng)
    if augment.cutout:
        pixels = _cut_out(pixels, augment.cutout, rng)
    return pixels


def _cropped(pixels: np.ndarray, padding: int, flip: bool, rng: np.random.Generator) -> np.ndarray:
    """Each image moved by up to ``padding`` pixels over its own edge repeated backwards, and turned left to right half
    the time. One copy an image: a gather over all of the batch takes four times as long.
    """
    n, height, width, _ = pixels.shape
    rows, columns = rng.integers(0, 2 * padding + 1, (2, n))
    turned = np.logical_and(rng.random(n) < 0.5, flip)
    padded = pixels
    if padding:
        around = ((0, 0), (padding, padding), (padding, padding), (0, 0))
        small = padding >= min(height, width)
        padded = np.pad(pixels, around, "edge") if small else np.pad(pixels, around, "reflect")
    out = np.empty_like(pixels)
    for i, (y, x, turn) in enumerate(zip(rows.tolist(), columns.tolist(), turned.tolist(), strict=True)):
        picture = padded[i, y : y + height, x : x + width]
        out[i] = picture[:, ::-1] if turn else picture
    return out


def _zoomed(pixels: np.ndarray, smallest: float, rng: np.random.Generator) -> np.ndarray:
    """A random cut of ``smallest`` to all of the area, sides in a ratio of 3/4 to 4/3, stretched to the full size
    (Szegedy et al. 2014, arXiv:1409.4842, section 6).
    """
    from PIL import Image

    n, height, width, channels = pixels.shape
    area = rng.uniform(smallest, 1.0, n)
    ratio = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3), n))
    heights = np.clip(np.rint(height * np.sqrt(area / ratio)), 1, height).astype(int)
    widths = np.clip(np.rint(width * np.sqrt(area * ratio)), 1, width).astype(int)
    top = (rng.random(n) * (height - heights + 1)).astype(int)
    left = (rng.random(n) * (width - widths + 1)).astype(int)
    out = np.empty_like(pixels)
    for i in range(n):
        picture = pixels[i, :, :, 0] if channels == 1 else pixels[i]
        box = (int(left[i]), int(top[i]), int(left[i] + widths[i]), int(top[i] + heights[i]))
        resized = Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR, box=box)
        out[i] = np.asarray(resized).reshape(height, width, channels)
    return out


def _cut_out(pixels: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """A grey square of ``side`` pixels somewhere on each image, partly outside at times (DeVries, arXiv:1708.04552)."""
    n, height, width, _ = pixels.shape
    out = pixels.copy()
    places = np.stack([rng.integers(0, height, n), rng.integers(0, width, n)], axis=1)
    for i, (y, x) in enumerate(places.tolist()):
        top, left = max(0, y - side // 2), max(0, x - side // 2)
        out[i, top : y + (side + 1) // 2, left : x + (side + 1) // 2] = FILL
    return out
