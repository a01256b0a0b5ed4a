"""``ImageTransform``: decode, resize, crop (per image); scale, normalise, lay out (per batch)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from ..core.errors import InputMismatchError
from .objects import Window
from .pixels import MAX_SIDE, Pixels
from .transform import Transform, expect

__all__ = ["ImageTransform"]


@dataclass(frozen=True)
class ImageTransform(Pixels, Transform):
    """``input``: the model's input name. ``size``: (height, width) that the network sees.

    ``resize``: "stretch" to ``resize_to`` (default ``size``); "shortest": the short side becomes ``resize_to`` pixels
    (default: the smallest that covers ``size``), the ratio is kept; "none": as it is.
    ``crop``: "center" cuts ``size`` out of what is larger; "none" takes only an exact fit.
    ``scale``, ``mean``, ``std``, ``layout``, ``colour``, ``dtype``: see ``Pixels``.

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
        self._check({"resize": ("stretch", "shortest", "none"), "crop": ("center", "none")})
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

    def window(self, size: tuple[int, int]) -> Window:
        """The whole input, where pictures are stretched onto it or have its size or ratio.

        Raises ``InputMismatchError`` elsewhere: a crop leaves out what lies at the edges.
        """
        h, w = self.size
        if self._resized_size(*size) == (h, w):
            return 0.0, 0.0, float(w), float(h)
        return super().window(size)

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
