"""``Population``: samples whose every fact is known, and changes whose true loss is exact in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from planted_change import CLASSES, CODES, LOW_CODES, PIXELS

__all__ = ["Change", "draw", "plant"]

HARD = CODES // 10
"""Codes below this are the samples on which the original is wrong: its true accuracy is 90 %, exactly."""


@dataclass(frozen=True)
class Change:
    """Windows of codes [start, end) in which the changed network answers the alternative class.

    The first lies among the hard codes, where the alternative is right; the second among the others, where it is wrong.
    """

    starts: tuple[int, int]
    ends: tuple[int, int]

    @property
    def disagreement(self) -> float:
        """True share of the population on which the two networks answer differently; exact."""
        return sum(e - s for s, e in zip(self.starts, self.ends, strict=True)) / CODES

    @property
    def loss(self) -> float:
        """True accuracy of the original minus that of the changed network; exact."""
        helped, harmed = (e - s for s, e in zip(self.starts, self.ends, strict=True))
        return (harmed - helped) / CODES


def plant(disagreement: float, loss: float, rng: np.random.Generator) -> Change:
    """A change of that true disagreement and loss, its windows anywhere that they fit."""
    helped, harmed = (round((disagreement + sign * loss) / 2 * CODES) for sign in (-1, 1))
    first = int(rng.integers(0, HARD - helped + 1))
    second = int(rng.integers(HARD, CODES - harmed + 1))
    change = Change((first, second), (first + helped, second + harmed))
    if abs(change.loss - loss) > 1e-12 or abs(change.disagreement - disagreement) > 1e-12:
        raise ValueError(f"a loss of {loss} at {disagreement} is no whole number of codes")
    return change


def draw(path: Path, n: int, rng: np.random.Generator) -> Path:
    """Write ``n`` independent samples: ``images`` uint8 [n, 2, 11] and ``labels`` int64 [n].

    Class, alternative and code are independent and uniform; evidence is 150..255 for the class, 0..40 elsewhere.
    """
    answer = rng.integers(0, CLASSES, n)
    other = (answer + rng.integers(1, CLASSES, n)) % CLASSES
    code = rng.integers(0, CODES, n)
    pixels = np.zeros((n, PIXELS), np.uint8)
    rows = np.arange(n)
    pixels[:, :CLASSES] = rng.integers(0, 41, (n, CLASSES))
    pixels[rows, answer] = rng.integers(150, 256, n)
    pixels[rows, CLASSES + other] = 255
    pixels[:, -2], pixels[:, -1] = code // LOW_CODES, code % LOW_CODES
    labels = np.where(code < HARD, other, answer)
    classes = np.array([f"class {i}" for i in range(CLASSES)])
    np.savez(path, images=pixels.reshape(n, 2, PIXELS // 2), labels=labels, classes=classes)
    return path
