"""``LetterboxTransform``: a picture keeps its ratio and gets a plain border, as detectors are fed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from .objects import Window
from .pixels import Pixels
from .transform import Transform, expect

__all__ = ["LetterboxTransform"]


@dataclass(frozen=True)
class LetterboxTransform(Pixels, Transform):
    """``input``: the model's input name. ``size``: (height, width) that the network sees.

    A picture of h x w is resized by r = min(height / h, width / w) to round(h r) x round(w r), at least one pixel each
    (``upscale`` False: r is at most 1), and laid on a plane of the gray value ``fill`` (0..255, before scaling): in
    the middle, of an odd rest the larger half below and right; or top left, with ``center`` False.
    ``scale``, ``mean``, ``std``, ``layout``, ``colour``, ``dtype``: see ``Pixels``.

    ``encode`` gives {"pixels": uint8 [H,W,C]}; a float array in exactly the model's sample shape counts as prepared
    already and passes through as {"tensor": ...}. ``finish`` gives [N,C,H,W] or [N,H,W,C].
    Source of the geometry: the letterbox of YOLOv5 and its successors; pixels are resized by Pillow.
    """

    kind: ClassVar[str] = "letterbox"

    input: str
    size: tuple[int, int]
    fill: int = 114
    center: bool = True
    upscale: bool = True
    interpolation: str = "bilinear"
    scale: float = 1 / 255
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    layout: Literal["nchw", "nhwc"] = "nchw"
    colour: Literal["rgb", "bgr", "gray"] = "rgb"
    dtype: str = "float32"

    def __post_init__(self) -> None:
        self._check({})
        expect(
            type(self.fill) is int and 0 <= self.fill <= 255,
            f"fill is {self.fill!r}",
            "Give the border's gray value, 0 to 255; 114 is usual.",
        )
        for name in ("center", "upscale"):
            value = getattr(self, name)
            expect(isinstance(value, bool), f"{name} is {value!r}", "Use true or false.")

    def window(self, size: tuple[int, int]) -> Window:
        """Where a picture of ``size`` (height, width) comes to lie in the input: x1, y1, x2, y2 in whole pixels."""
        left, top, w, h = self._placed(size)
        return float(left), float(top), float(left + w), float(top + h)

    def _placed(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Left, top, width, height of the resized picture."""
        height, width = size
        ratio = min(self.size[0] / height, self.size[1] / width)
        if not self.upscale:
            ratio = min(ratio, 1.0)
        h, w = max(1, round(height * ratio)), max(1, round(width * ratio))
        if not self.center:
            return 0, 0, w, h
        return (self.size[1] - w) // 2, (self.size[0] - h) // 2, w, h

    def _fitted(self, image: Any) -> Any:
        from PIL import Image

        left, top, w, h = self._placed((image.height, image.width))
        if (w, h) != image.size:
            image = image.resize((w, h), Image.Resampling[self.interpolation.upper()])
        plane = Image.new(
            image.mode, (self.size[1], self.size[0]), self.fill if image.mode == "L" else (self.fill,) * 3
        )
        plane.paste(image, (left, top))
        return plane
