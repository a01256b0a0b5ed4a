"""Procedural backgrounds: value noise, stripes and gradients in random colours, with patches and grain on top."""

from __future__ import annotations

import numpy as np

__all__ = ["texture"]

PATCHES_MOST = 5
GRAIN_MOST = 24
"""Largest grain, in gray values from end to end."""


def texture(rng: np.random.Generator, size: int) -> np.ndarray:
    """A picture, uint8 [size, size, 3], that depends on ``rng``'s state alone."""
    ground = (_noise, _stripes, _gradient)[int(rng.integers(3))](rng, size)
    for _ in range(int(rng.integers(PATCHES_MOST + 1))):
        _patch(rng, ground)
    width = int(rng.integers(GRAIN_MOST + 1))
    if width:
        ground += rng.integers(0, width, (size, size, 1), dtype=np.uint8).astype(np.float32) - np.float32(width / 2)
    return np.clip(ground, 0, 255, out=ground).astype(np.uint8)


def _colours(rng: np.random.Generator, count: int) -> np.ndarray:
    """float32 [count, 3] in 0..255."""
    return rng.random((count, 3), dtype=np.float32) * np.float32(255)


def _noise(rng: np.random.Generator, size: int) -> np.ndarray:
    """Value noise: two grids of random colours, a coarse and a fine one, made smooth by bicubic interpolation."""
    coarse, fine = int(rng.integers(2, 6)), int(rng.integers(6, 20))
    share = np.float32(0.2 + 0.4 * rng.random())
    return _grid(rng, coarse, size) * (1 - share) + _grid(rng, fine, size) * share


def _grid(rng: np.random.Generator, cells: int, size: int) -> np.ndarray:
    from PIL import Image

    values = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
    return np.asarray(values.resize((size, size), Image.Resampling.BICUBIC), np.float32)


def _stripes(rng: np.random.Generator, size: int) -> np.ndarray:
    """A wave between two colours in any direction; hard or soft edges."""
    period = size * (0.04 + 0.3 * rng.random())
    wave = np.sin(_ramp(rng, size) * np.float32(2 * np.pi * size / period) + np.float32(2 * np.pi * rng.random()))
    share = np.clip(wave * np.float32(0.5 + 4 * rng.random()) + np.float32(0.5), 0, 1)
    return _mixed(share, _colours(rng, 2))


def _gradient(rng: np.random.Generator, size: int) -> np.ndarray:
    """From one colour to another across the picture."""
    ramp = _ramp(rng, size)
    return _mixed((ramp - ramp.min()) / np.float32(np.ptp(ramp)), _colours(rng, 2))


def _ramp(rng: np.random.Generator, size: int) -> np.ndarray:
    """float32 [size, size]: the distance from the centre along a random direction, in sides of the picture."""
    angle = 2 * np.pi * rng.random()
    line = (np.arange(size, dtype=np.float32) - np.float32((size - 1) / 2)) / np.float32(size)
    ramp: np.ndarray = line[None, :] * np.float32(np.cos(angle)) + line[:, None] * np.float32(np.sin(angle))
    return ramp


def _mixed(share: np.ndarray, colours: np.ndarray) -> np.ndarray:
    mixed: np.ndarray = colours[0] + share[:, :, None] * (colours[1] - colours[0])
    return mixed


def _patch(rng: np.random.Generator, ground: np.ndarray) -> None:
    """Paint a rectangle or an ellipse of one colour over ``ground``, more or less opaque."""
    size = len(ground)
    height, width = (int(size * (0.08 + 0.4 * rng.random())) for _ in range(2))
    top, left = int(rng.integers(-height // 2, size - height // 2)), int(rng.integers(-width // 2, size - width // 2))
    part = ground[max(top, 0) : top + height, max(left, 0) : left + width]
    opacity = np.float32(0.3 + 0.6 * rng.random())
    colour, round_ = _colours(rng, 1)[0], rng.random() < 0.5
    if not round_:
        part += (colour - part) * opacity
        return
    y = (np.arange(max(top, 0), max(top, 0) + part.shape[0]) - top + 0.5) / height * 2 - 1
    x = (np.arange(max(left, 0), max(left, 0) + part.shape[1]) - left + 0.5) / width * 2 - 1
    part += (colour - part) * (opacity * (y[:, None] ** 2 + x[None, :] ** 2 <= 1)[:, :, None]).astype(np.float32)
