"""A sample as its network met it, for a person to look at: a picture as PNG, or the words of its tokens."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from ..core.errors import RunError
from ..inputs import EncodedSplit, TextTransform

__all__ = ["png_of", "seen", "text_of"]


def seen(split: EncodedSplit, i: int, side: int = 0) -> dict[str, Any]:
    """{"text"} or {"image"} of sample ``i``, as ``report.ShownSample`` takes them. ``side``: a picture that is smaller
    is enlarged to about so many pixels, its own as squares and not as a blur.
    """
    if isinstance(split.transform, TextTransform):
        return {"text": text_of(split, i)}
    encoded = split.encoded(i)
    if "pixels" in encoded:
        return {"image": png_of(split, np.asarray(encoded["pixels"]), side)}
    return {"text": split.origins[i]}


def png_of(split: EncodedSplit, pixels: np.ndarray, side: int = 0) -> bytes:
    """``pixels`` of ``split``, uint8 [H, W, C] in its order of colours, as a PNG file. ``side``: as in ``seen``."""
    from PIL import Image

    if getattr(split.transform, "colour", "rgb") == "bgr":
        pixels = pixels[..., ::-1]
    image = Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels))
    if (factor := side // max(image.size)) > 1:
        image = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def text_of(split: EncodedSplit, i: int) -> str:
    """The words of a sample, from its tokens."""
    from tokenizers import Tokenizer

    transform = split.transform
    if not isinstance(transform, TextTransform):
        raise RunError("the samples are no texts")
    tokenizer = Tokenizer.from_str(transform.tokenizer)
    return str(tokenizer.decode(np.asarray(split.encoded(i)["ids"]).tolist(), skip_special_tokens=True))
