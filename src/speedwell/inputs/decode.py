"""Raw images of every accepted kind, to a PIL image in RGB or gray: size caps first, then the decoder."""

from __future__ import annotations

import functools
import io
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..core.errors import CorruptSampleError, InputMismatchError

__all__ = ["FORMATS", "MAX_IMAGE_BYTES", "open_image", "picture_size"]

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "MPO")
"""What is decoded. Others stay out: EPS runs Ghostscript, and rare decoders are where the old faults are."""
MAX_IMAGE_BYTES = 256 << 20


@functools.cache
def _formats() -> tuple[str, ...]:
    from PIL import Image

    Image.init()
    return tuple(f for f in FORMATS if f in Image.OPEN)


def open_image(raw: Any, mode: str) -> Any:
    """A loaded ``PIL.Image`` of ``mode`` "RGB" or "L".

    ``raw``: encoded bytes, a path, a PIL image, or a uint8 array [H,W], [H,W,1|3|4] or [1|3,H,W] in RGB order.
    Raises ``CorruptSampleError`` for what cannot be decoded or is too large (``PIL.Image.MAX_IMAGE_PIXELS``),
    ``InputMismatchError`` for another type. EXIF rotation is not applied, as in torchvision and timm.
    """
    from PIL import Image

    if isinstance(raw, (str, Path)):
        raw = _file(Path(raw))
    if isinstance(raw, np.ndarray):
        image = Image.fromarray(_pixels(raw))
    elif isinstance(raw, (bytes, bytearray, memoryview)):
        image = _decode(bytes(raw))
    elif isinstance(raw, Image.Image):
        image = raw
    else:
        raise InputMismatchError(
            f"an image is a {type(raw).__name__}", "Give encoded bytes, a path, a PIL image or a uint8 array [H,W,C]."
        )
    try:
        return _converted(image, mode)
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders raise anything on hostile bytes
        raise CorruptSampleError(f"not a readable image: {error}") from error


def picture_size(raw: Any) -> tuple[int, int]:
    """(height, width) of what ``open_image`` would give; of encoded images and paths, only the header is read.

    Raises ``CorruptSampleError`` and ``InputMismatchError`` as ``open_image`` does, as far as a header tells.
    """
    from PIL import Image

    if isinstance(raw, (bytes, bytearray, memoryview)):
        raw = _decode(bytes(raw))
    elif isinstance(raw, (str, Path)):
        try:
            with Path(raw).open("rb") as file:
                raw = _opened(file)
        except OSError as error:
            raise CorruptSampleError(f"{raw}: {error.strerror or error}") from error
    elif not isinstance(raw, Image.Image):
        raw = open_image(raw, "L")
    return int(raw.height), int(raw.width)


def _file(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_IMAGE_BYTES:
            raise CorruptSampleError(f"{path} is larger than {MAX_IMAGE_BYTES >> 20} MB")
        return path.read_bytes()
    except OSError as error:
        raise CorruptSampleError(f"{path}: {error.strerror or error}") from error


def _decode(data: bytes) -> Any:
    if len(data) > MAX_IMAGE_BYTES:
        raise CorruptSampleError(f"an image has {len(data) >> 20} MB, more than {MAX_IMAGE_BYTES >> 20}")
    return _opened(io.BytesIO(data))


def _opened(file: IO[bytes]) -> Any:
    from PIL import Image

    try:
        image = Image.open(file, formats=_formats())
    except MemoryError:
        raise
    except Exception as error:  # as above; the decompression-bomb error and warning included
        raise CorruptSampleError(f"not a readable image: {error}") from error
    limit = Image.MAX_IMAGE_PIXELS
    if limit and image.width * image.height > limit:  # Pillow itself only warns up to twice the limit
        raise CorruptSampleError(f"an image of {image.width}x{image.height} pixels is over the limit of {limit}")
    return image


def _converted(image: Any, mode: str) -> Any:
    from PIL import Image

    if image.mode.startswith("I"):  # 16-bit gray: Pillow would clip at 255 where a person sees a dark picture
        values = np.asarray(image)
        wide = image.mode != "I" or values.max(initial=0) > 255
        image = Image.fromarray((np.clip(values, 0, 65535) >> (8 if wide else 0)).astype(np.uint8))
    return image.copy() if image.mode == mode else image.convert(mode)


def _pixels(array: np.ndarray) -> np.ndarray:
    """[H,W] or [H,W,3|4] from any accepted uint8 shape."""
    if array.dtype != np.uint8:
        raise InputMismatchError(
            f"an image array is {array.dtype}", "Give uint8 pixels, or floats in exactly the model's input shape."
        )
    if array.ndim == 3 and array.shape[2] not in (1, 3, 4) and array.shape[0] in (1, 3):
        array = array.transpose(1, 2, 0)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if 0 in array.shape or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))):
        raise InputMismatchError(
            f"an image array has shape {array.shape}", "Give [height, width] or [height, width, channels]."
        )
    return np.ascontiguousarray(array)
