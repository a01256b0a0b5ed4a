"""Samples on which original and winner differ, for a report that may show them (``--show-samples``)."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from ..core.errors import UsageError

__all__ = ["ShownBox", "ShownSample", "data_uri"]

_MAGIC = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"))


@dataclass(frozen=True)
class ShownBox:
    """``box``: x1, y1, x2, y2 in pixels of the sample's image. ``who``: original, winner or truth. ``label``: the class
    by name; ``score`` in 0..1, None for the truth. ``alone``: the other model has no such box.
    """

    who: str
    box: tuple[float, float, float, float]
    label: str
    score: float | None = None
    alone: bool = False


@dataclass(frozen=True)
class ShownSample:
    """``original``, ``winner`` and ``truth`` are answers in words ("" for an unknown truth). ``text`` is the sample,
    or ``image``: PNG or JPEG bytes. ``boxes``: what was found in the image, of which ``size`` is (height, width).
    """

    original: str
    winner: str
    truth: str = ""
    text: str = ""
    image: bytes = b""
    boxes: tuple[ShownBox, ...] = ()
    size: tuple[int, int] = (0, 0)


def data_uri(image: bytes) -> str:
    """A data URI of PNG or JPEG bytes, judged by their first bytes. Raises ``UsageError`` for anything else."""
    for magic, kind in _MAGIC:
        if image.startswith(magic):
            return f"data:{kind};base64,{base64.b64encode(image).decode()}"
    raise UsageError("a sample's image is neither PNG nor JPEG", "Encode it as PNG before it goes into the report.")
