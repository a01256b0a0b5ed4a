"""``Pixels``: what image transforms share: uint8 pixels of one size, scaled, normalised and laid out per batch."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..core.errors import CorruptSampleError, InputMismatchError
from .decode import open_image
from .transform import expect

__all__ = ["INTERPOLATIONS", "MAX_SIDE", "Pixels"]

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")
DTYPES = ("float32", "float16", "float64", "uint8", "int32", "int64")
MAX_SIDE = 16384


class Pixels:
    """Half a transform: the other half is a frozen dataclass with these fields and a ``_fitted``.

    A pixel value v (0..255) of channel c becomes (v * scale - mean[c]) / std[c], rounded once from float64;
    ``mean`` and ``std`` are in the order of ``colour``'s channels, empty for none.
    """

    input: str
    size: tuple[int, int]
    interpolation: str
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    layout: str
    colour: str
    dtype: str

    def _fitted(self, image: Any) -> Any:
        """The PIL image ``image`` at exactly ``size``. Raises ``InputMismatchError`` where that is not to be."""
        raise NotImplementedError

    def _check(self, allowed: Mapping[str, Sequence[str]]) -> None:
        """Raise ``UsageError`` for values that cannot be. ``allowed``: the words of a subclass's own fields."""
        expect(isinstance(self.input, str) and self.input != "", f"the image input's name is {self.input!r}")
        sides = self.size if isinstance(self.size, tuple) else ()
        expect(
            len(sides) == 2 and all(type(s) is int and 1 <= s <= MAX_SIDE for s in sides),
            f"size is {self.size!r}",
            "Give height and width in pixels, for example --size 224x224.",
        )
        words = {
            **allowed,
            "interpolation": INTERPOLATIONS,
            "layout": ("nchw", "nhwc"),
            "colour": ("rgb", "bgr", "gray"),
            "dtype": DTYPES,
        }
        for name, choices in words.items():
            value = getattr(self, name)
            expect(value in choices, f"{name} is {value!r}", f"Use one of: {', '.join(choices)}.")
        expect(_finite(self.scale) and self.scale > 0, f"scale is {self.scale!r}", "Give a number above 0.")
        for name in ("mean", "std"):
            values = getattr(self, name)
            expect(
                isinstance(values, tuple) and len(values) in (0, self.channels) and all(_finite(v) for v in values),
                f"{name} is {values!r}",
                f"Give {self.channels} number(s), one per channel of {self.colour}, or none.",
            )
        expect(all(v > 0 for v in self.std), f"std is {self.std!r}", "Each must be above 0.")

    @property
    def channels(self) -> int:
        """1 for gray, else 3."""
        return 1 if self.colour == "gray" else 3

    @property
    def shape(self) -> tuple[int, int, int]:
        """One sample as the network sees it, without the batch axis."""
        h, w = self.size
        return (self.channels, h, w) if self.layout == "nchw" else (h, w, self.channels)

    def encode(self, raw: Any) -> dict[str, np.ndarray]:
        """{"pixels": uint8 [H,W,C]}, channels in ``colour``'s order; or {"tensor": ...} for prepared floats.

        Raises ``CorruptSampleError`` (cannot be decoded) or ``InputMismatchError`` (another size, with the fix).
        """
        if not isinstance(raw, np.ndarray) and hasattr(raw, "detach"):
            raw = np.asarray(raw.detach().cpu())  # a torch tensor, without importing torch
        if isinstance(raw, np.ndarray) and raw.dtype.kind == "f":
            return {"tensor": self._prepared(raw)}
        image = self._fitted(open_image(raw, "L" if self.colour == "gray" else "RGB"))
        pixels = np.asarray(image, np.uint8).reshape(*self.size, self.channels)
        return {"pixels": np.ascontiguousarray(pixels[:, :, ::-1] if self.colour == "bgr" else pixels)}

    def finish(self, encoded: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """{``input``: ``dtype`` [N, *shape]}."""
        out = np.empty((len(encoded), *self.shape), self.dtype)
        table = self._table
        for row, sample in zip(out, encoded, strict=True):
            if "tensor" in sample:
                row[...] = sample["tensor"]
                continue
            pixels = sample["pixels"]
            for c in range(self.channels):
                values = table[c][pixels[:, :, c]]
                if self.layout == "nchw":
                    row[c] = values
                else:
                    row[:, :, c] = values
        return {self.input: out}

    @functools.cached_property
    def _table(self) -> np.ndarray:
        """[C, 256]: what each pixel value becomes; in float64 and rounded once, so the same on every machine."""
        value = np.arange(256, dtype=np.float64) * self.scale
        if math.isclose(self.scale * 255, 1, rel_tol=1e-12):
            value = np.arange(256, dtype=np.float64) / 255
        mean = np.asarray(self.mean or (0.0,) * self.channels)[:, None]
        std = np.asarray(self.std or (1.0,) * self.channels)[:, None]
        whole = (value - mean) / std
        if np.dtype(self.dtype).kind in "iu":
            bounds = np.iinfo(self.dtype)
            whole = np.clip(np.rint(whole), bounds.min, bounds.max)
        table: np.ndarray = whole.astype(self.dtype)
        return table

    @property
    def affine(self) -> tuple[np.ndarray, np.ndarray]:
        """(factor, term), float32 [C]: v * factor + term is what a pixel value becomes, within two units in the last
        place of ``finish``, which rounds once from float64.
        """
        std = np.asarray(self.std or (1.0,) * self.channels)
        mean = np.asarray(self.mean or (0.0,) * self.channels)
        return (self.scale / std).astype(np.float32), (-mean / std).astype(np.float32)

    def _prepared(self, array: np.ndarray) -> np.ndarray:
        if array.shape != self.shape:
            raise InputMismatchError(
                f"a float image has shape {array.shape}, the model takes {self.shape}",
                "Floats count as prepared already; give uint8 pixels or encoded images to have them resized.",
            )
        if not np.isfinite(array).all():
            raise CorruptSampleError("the image holds NaN or infinite values")
        return np.ascontiguousarray(array, self.dtype)


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
