"""Samples on which original and winner differ, for a report that may show them (``--show-samples``)."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from ..core.errors import UsageError

__all__ = ["ShownSample", "data_uri"]

_MAGIC = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"))


@dataclass(frozen=True)
class ShownSample:
    """``original``, ``winner`` and ``truth`` are answers in words ("" for an unknown truth). ``text`` is the sample,
    or ``image``: PNG or JPEG bytes.
    """

    original: str
    winner: str
    truth: str = ""
    text: str = ""
    image: bytes = b""


def data_uri(image: bytes) -> str:
    """A data URI of PNG or JPEG bytes, judged by their first bytes. Raises ``UsageError`` for anything else."""
    for magic, kind in _MAGIC:
        if image.startswith(magic):
            return f"data:{kind};base64,{base64.b64encode(image).decode()}"
    raise UsageError("a sample's image is neither PNG nor JPEG", "Encode it as PNG before it goes into the report.")
