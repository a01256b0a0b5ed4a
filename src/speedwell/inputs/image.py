"""``ImageTransform``: decode, resize, crop (per image); scale, normalise, lay out (per batch)."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from ..core.errors import CorruptSampleError, InputMismatchError
from .decode import open_image
from .transform import Transform, expect

__all__ = ["ImageTransform"]

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")
DTYPES = ("float32", "float16", "float64", "uint8", "int32", "int64")
MAX_SIDE = 16384


@dataclass(frozen=True)
class ImageTransform(Transform):
    """``input``: the model's input name. ``size``: (height, width) that the network sees.

    ``resize``: "stretch" to ``resize_to`` (default ``size``); "shortest": the short side becomes ``resize_to`` pixels
    (default: the smallest that covers ``size``), the ratio is kept; "none": as it is.
    ``crop``: "center" cuts ``size`` out of what is larger; "none" takes only an exact fit.
    A pixel value v (0..255) of channel c becomes (v * scale - mean[c]) / std[c], rounded once from float64;
    ``mean`` and ``std`` are in the order of ``colour``'s channels, empty for none.

    ``encode`` gives {"pixels": uint8 [H,W,C]}; a float array in exactly the model's sample shape counts as
    prepared already and passes through as {"tensor": ...}. ``finish`` gives [N,C,H,W] or [N,H,W,C].
    Source of the geometry: torchvision's Resize and CenterCrop on PIL images, bit for bit.
    """

    kind: ClassVar[str] = "image"

    input: str
    size: tuple[int, int]
    resize: Literal["stretch", "shortest", "none"] = "stretch"
    resize_to: int | None = None
    crop: Literal["center", "none"] = "center"
    interpolation: str = "bilinear"
    scale: float = 1 / 255
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    layout: Literal["nchw", "nhwc"] = "nchw"
    colour: Literal["rgb", "bgr", "gray"] = "rgb"
    dtype: str = "float32"

    def __post_init__(self) -> None:
        expect(isinstance(self.input, str) and self.input != "", f"the image input's name is {self.input!r}")
        sides = self.size if isinstance(self.size, tuple) else ()
        expect(
            len(sides) == 2 and all(type(s) is int and 1 <= s <= MAX_SIDE for s in sides),
            f"size is {self.size!r}",
            "Give height and width in pixels, for example --size 224x224.",
        )
        for name, allowed in (
            ("resize", ("stretch", "shortest", "none")),
            ("crop", ("center", "none")),
            ("interpolation", INTERPOLATIONS),
            ("layout", ("nchw", "nhwc")),
            ("colour", ("rgb", "bgr", "gray")),
            ("dtype", DTYPES),
        ):
            value = getattr(self, name)
            expect(value in allowed, f"{name} is {value!r}", f"Use one of: {', '.join(allowed)}.")
        expect(_finite(self.scale) and self.scale > 0, f"scale is {self.scale!r}", "Give a number above 0.")
        for name in ("mean", "std"):
            values = getattr(self, name)
            expect(
                isinstance(values, tuple) and len(values) in (0, self.channels) and all(_finite(v) for v in values),
                f"{name} is {values!r}",
                f"Give {self.channels} number(s), one per channel of {self.colour}, or none.",
            )
        expect(all(v > 0 for v in self.std), f"std is {self.std!r}", "Each must be above 0.")
        if self.resize_to is not None:
            expect(
                type(self.resize_to) is int and 1 <= self.resize_to <= MAX_SIDE and self.resize != "none",
                f"resize_to is {self.resize_to!r} with resize {self.resize!r}",
                "Give a number of pixels, with resize stretch or shortest.",
            )
            enough = self.resize_to >= max(self.size) if self.crop == "center" else self.size == (self.resize_to,) * 2
            expect(
                enough,
                f"resizing to {self.resize_to} does not give {self.size[0]}x{self.size[1]}",
                "Resize to at least the larger side and crop, for example --resize shortest:256 --crop 224.",
            )
        expect(
            self.resize != "shortest" or self.crop == "center",
            'resize "shortest" without a crop gives images of many sizes',
            "Add a centre crop, or use --resize stretch.",
        )

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

    def _prepared(self, array: np.ndarray) -> np.ndarray:
        if array.shape != self.shape:
            raise InputMismatchError(
                f"a float image has shape {array.shape}, the model takes {self.shape}",
                "Floats count as prepared already; give uint8 pixels or encoded images to have them resized.",
            )
        if not np.isfinite(array).all():
            raise CorruptSampleError("the image holds NaN or infinite values")
        return np.ascontiguousarray(array, self.dtype)

    def _fitted(self, image: Any) -> Any:
        from PIL import Image

        h, w = self.size
        have = (image.height, image.width)
        want = self._resized_size(*have)
        if want != have:
            method = Image.Resampling[self.interpolation.upper()]
            image = image.resize((want[1], want[0]), method)
        if want == (h, w):
            return image
        if self.crop == "none" or want[0] < h or want[1] < w:
            raise InputMismatchError(
                f"an image is {have[0]}x{have[1]}, the model takes {h}x{w} and resize is {self.resize!r}",
                f"Let images be resized (--resize stretch), or name the model's size (--size {have[0]}x{have[1]}).",
            )
        top, left = round((want[0] - h) / 2.0), round((want[1] - w) / 2.0)
        return image.crop((left, top, left + w, top + h))

    def _resized_size(self, height: int, width: int) -> tuple[int, int]:
        h, w = self.size
        if self.resize == "none":
            return height, width
        if self.resize == "stretch":
            return (self.resize_to, self.resize_to) if self.resize_to else (h, w)
        if self.resize_to is None:  # cover
            if h * width <= w * height:
                return max(h, w * height // width), w
            return h, max(w, h * width // height)
        short, long = min(height, width), max(height, width)
        new = self.resize_to * long // short
        return (new, self.resize_to) if height >= width else (self.resize_to, new)


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
