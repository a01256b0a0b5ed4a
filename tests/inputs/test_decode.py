from __future__ import annotations

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from speedwell.core.errors import CorruptSampleError, InputMismatchError
from speedwell.inputs.decode import open_image, picture_size

from .conftest import png

PIXELS = np.arange(60, dtype=np.uint8).reshape(4, 5, 3) * 4


def encoded(image, kind="PNG"):
    data = io.BytesIO()
    image.save(data, kind)
    return data.getvalue()


def test_every_form_of_an_image_gives_the_same_pixels(tmp_path):
    data = encoded(Image.fromarray(PIXELS))
    (tmp_path / "a.png").write_bytes(data)
    forms = [data, bytearray(data), tmp_path / "a.png", str(tmp_path / "a.png"), Image.fromarray(PIXELS), PIXELS,
             PIXELS.transpose(2, 0, 1)]  # fmt: skip
    for raw in forms:
        assert np.array_equal(np.asarray(open_image(raw, "RGB")), PIXELS)


def test_gray_palette_alpha_and_16_bit_images_become_rgb():
    gray = np.full((3, 3), 200, np.uint8)
    assert np.asarray(open_image(gray, "RGB"))[0, 0].tolist() == [200, 200, 200]
    assert np.asarray(open_image(gray[:, :, None], "L")).shape == (3, 3)
    palette = encoded(Image.fromarray(PIXELS).quantize(256))
    assert open_image(palette, "RGB").mode == "RGB"
    alpha = np.dstack([PIXELS, np.full((4, 5), 128, np.uint8)])
    assert np.array_equal(np.asarray(open_image(alpha, "RGB")), PIXELS)
    deep = encoded(Image.fromarray(np.array([[0, 256, 65535]], np.uint16)))
    assert np.asarray(open_image(deep, "L")).tolist() == [[0, 1, 255]]


def bomb(width, height):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [12_000, 60_000])
def test_a_decompression_bomb_is_a_bad_sample(side):
    with pytest.raises(CorruptSampleError, match=r"exceeds limit|over the limit"):
        open_image(bomb(side, side), "RGB")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")  # what users have: the warning only printed
def test_a_bomb_below_pillows_own_refusal_is_caught_as_well():
    with pytest.raises(CorruptSampleError, match="over the limit"):
        open_image(bomb(12_000, 12_000), "RGB")


def test_postscript_is_not_handed_to_ghostscript():
    with pytest.raises(CorruptSampleError, match="not a readable image"):
        open_image(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "RGB")


@given(st.integers(0, 400), st.integers(1, 255), st.integers(20, 500))
def test_a_damaged_jpeg_is_an_image_or_a_bad_sample(position, flip, length):
    data = bytearray(encoded(Image.fromarray(PIXELS), "JPEG"))
    data[position % len(data)] ^= flip
    with contextlib.suppress(CorruptSampleError):  # anything else that Pillow raises would escape
        assert open_image(bytes(data[:length]), "RGB").mode == "RGB"


def test_what_is_no_image_is_refused_by_type():
    with pytest.raises(InputMismatchError, match="int"):
        open_image(3, "RGB")
    with pytest.raises(InputMismatchError, match="int32"):
        open_image(PIXELS.astype(np.int32), "RGB")
    with pytest.raises(InputMismatchError, match=r"\(2, 2, 7\)"):
        open_image(np.zeros((2, 2, 7), np.uint8), "RGB")
    with pytest.raises(CorruptSampleError, match="No such file"):
        open_image("/nowhere.jpg", "RGB")


def test_a_size_is_read_from_the_header_alone(digits, tmp_path):
    whole = png(20, 30)
    assert picture_size(whole) == (20, 30)
    assert picture_size(whole[:60]) == (20, 30)  # no pixel is there
    (tmp_path / "a.png").write_bytes(whole)
    assert picture_size(tmp_path / "a.png") == (20, 30)
    assert picture_size(np.zeros((3, 20, 30), np.uint8)) == (20, 30)
    assert picture_size(Image.new("RGB", (30, 20))) == (20, 30)
    assert picture_size(digits[0][0]) == (16, 16)
    for broken in (b"", whole[:10], tmp_path / "none.png"):
        with pytest.raises(CorruptSampleError):
            picture_size(broken)
    with pytest.raises(InputMismatchError):
        picture_size(3)
