"""The geometry of letterbox and stretch: where pictures and boxes go, and that they come back."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from speedwell.core.errors import CorruptSampleError, InputMismatchError, UsageError
from speedwell.inputs import ImageTransform, LetterboxTransform, Objects, Transform

SIDES = st.integers(1, 4000)
SHAPES = st.tuples(SIDES, SIDES)


def letterbox(size, **settings):
    return LetterboxTransform("x", size, **settings)


def test_a_wide_picture_gets_a_border_above_and_below():
    raw = np.full((10, 40, 3), 200, np.uint8)
    pixels = letterbox((20, 20)).encode(raw)["pixels"]
    assert pixels.shape == (20, 20, 3)
    assert (pixels[7:12] == 200).all()  # 5 rows; of the 15 others 7 above and 8 below
    assert (np.delete(pixels, range(7, 12), 0) == 114).all()
    top = letterbox((20, 20), center=False, fill=0).encode(raw)["pixels"]
    assert (top[:5] == 200).all()
    assert (top[5:] == 0).all()


def test_small_pictures_are_enlarged_only_where_that_is_wanted():
    raw = np.full((4, 4, 3), 9, np.uint8)
    assert (letterbox((9, 9)).encode(raw)["pixels"] == 9).all()
    kept = letterbox((9, 9), upscale=False).encode(raw)["pixels"]
    assert (kept[2:6, 2:6] == 9).all()
    assert int((kept == 9).sum()) == 16 * 3


def test_pixels_inside_the_border_are_pillows_resize():
    raw = np.random.default_rng(0).integers(0, 256, (31, 47, 3), dtype=np.uint8)
    transform = letterbox((64, 64), interpolation="bicubic")
    x1, y1, x2, y2 = map(int, transform.window((31, 47)))
    want = np.asarray(Image.fromarray(raw).resize((x2 - x1, y2 - y1), Image.Resampling.BICUBIC))
    assert np.array_equal(transform.encode(raw)["pixels"][y1:y2, x1:x2], want)
    bgr = letterbox((64, 64), interpolation="bicubic", colour="bgr").encode(raw)["pixels"]
    assert np.array_equal(bgr[y1:y2, x1:x2], want[:, :, ::-1])


def test_the_batch_is_scaled_and_laid_out_as_an_image_transforms():
    raw = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    settings_ = {"mean": (0.4,) * 3, "std": (0.2,) * 3, "layout": "nhwc", "colour": "bgr"}
    square = ImageTransform("x", (6, 8), **settings_)
    boxed = letterbox((6, 8), **settings_)
    assert np.array_equal(*(t.finish([t.encode(raw)])["x"] for t in (square, boxed)))
    ready = np.zeros((6, 8, 3), np.float32)
    assert boxed.encode(ready)["tensor"] is ready
    gray = letterbox((6, 8), colour="gray").encode(raw[:, :4])["pixels"]
    assert gray.shape == (6, 8, 1)
    assert gray[0, 0, 0] == 114


@given(SHAPES, st.tuples(st.integers(1, 1300), st.integers(1, 1300)), st.booleans(), st.booleans())
def test_the_window_is_that_of_the_usual_letterbox(size, into, center, upscale):
    """Odd and even rests, both directions, against the arithmetic of YOLOv5 in its own form."""
    height, width = size
    r = min(into[0] / height, into[1] / width)
    r = r if upscale else min(r, 1.0)
    new_w, new_h = max(1, round(width * r)), max(1, round(height * r))
    dw, dh = ((into[1] - new_w) / 2, (into[0] - new_h) / 2) if center else (0, 0)
    left, top = (round(d - 0.1) for d in (dw, dh))
    assert letterbox(into, center=center, upscale=upscale).window(size) == (left, top, left + new_w, top + new_h)
    assert left >= 0
    assert top >= 0
    assert left + new_w <= into[1]
    assert top + new_h <= into[0]


@settings(max_examples=300)
@given(
    SHAPES,
    st.tuples(st.integers(16, 1300), st.integers(16, 1300)),
    st.lists(st.tuples(*[st.floats(0, 1)] * 4), max_size=8),
    st.sampled_from(["letterbox", "top left", "no upscale", "stretch"]),
)
def test_boxes_come_back_to_where_they_were(size, into, corners, kind):
    height, width = size
    transform = {
        "letterbox": letterbox(into),
        "top left": letterbox(into, center=False),
        "no upscale": letterbox(into, upscale=False),
        "stretch": ImageTransform("x", into),
    }[kind]
    x, y = ([sorted((c[i] * s, c[i + 2] * s)) for c in corners] for i, s in ((0, width), (1, height)))
    boxes = [(a, b, c, d) for (a, c), (b, d) in zip(x, y, strict=True) if c - a >= 1e-2 and d - b >= 1e-2]
    objects = Objects.of(boxes, [0] * len(boxes), size)
    placed = transform.place(objects)
    assert len(placed) == len(objects)
    assert placed.window == transform.window(size)
    assert placed.size == size
    assert placed.clipped().same(placed)
    x1, y1, x2, y2 = placed.window
    back = transform.restore(placed.boxes, size)
    # half a last place of float32 at the input's place, as seen in the picture, and half a one there
    ulp = 2.0**-24 * max(into) * max(width / (x2 - x1), height / (y2 - y1)) + 2.0**-24 * max(size)
    assert np.abs(back - objects.boxes).max(initial=0) <= max(ulp * 1.01, 1e-9)
    if max(size) / min(x2 - x1, y2 - y1) < 6:
        assert np.abs(back - objects.boxes).max(initial=0) <= 1e-3


def test_a_painted_rectangle_is_found_where_its_box_is_placed():
    raw = np.zeros((90, 200, 3), np.uint8)
    raw[20:60, 50:150] = 255
    objects = Objects.of([[50, 20, 150, 60]], [0], (90, 200))
    for transform in (letterbox((160, 160), fill=0), ImageTransform("x", (120, 64))):
        bright = transform.encode(raw)["pixels"][:, :, 0] > 127
        rows, columns = np.flatnonzero(bright.any(1)), np.flatnonzero(bright.any(0))
        found = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        assert np.abs(transform.place(objects).boxes[0] - found).max() <= 1


def test_restored_boxes_are_cut_at_the_picture_and_stay_in_order():
    back = letterbox((64, 64)).restore(np.array([[-9, -9, 99, 99], [0, 16, 32, 48]]), (32, 64))
    assert back.tolist() == [[0, 0, 64, 32], [0, 0, 32, 32]]
    assert letterbox((64, 64)).restore(np.zeros((0, 4)), (32, 64)).shape == (0, 4)


def test_boxes_are_not_placed_twice():
    transform = letterbox((64, 64))
    placed = transform.place(Objects.of([[0, 0, 4, 4]], [0], (8, 9)))
    with pytest.raises(CorruptSampleError, match="window"):
        transform.place(placed)


def test_a_crop_says_that_it_does_not_fit_detection():
    objects = Objects.of([[0, 0, 4, 4]], [0], (8, 12))
    for transform in (ImageTransform("x", (8, 8), "shortest", 10), ImageTransform("x", (8, 8), "stretch", 10)):
        with pytest.raises(InputMismatchError, match="8x12") as caught:
            transform.place(objects)
        assert "letterbox" in caught.value.fix
    exact = ImageTransform("x", (8, 12), "none")
    assert exact.place(objects).same(objects)
    with pytest.raises(InputMismatchError):
        exact.window((9, 12))


def test_it_is_saved_and_opened_again(tmp_path):
    transform = letterbox((32, 48), fill=0, center=False, upscale=False, std=(0.5,) * 3)
    transform.save(tmp_path)
    assert Transform.open(tmp_path) == transform
    assert Transform.open(tmp_path).key == transform.key != letterbox((32, 48)).key


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"fill": 256}, "fill is 256"),
        ({"fill": 0.5}, "fill is 0.5"),
        ({"center": 1}, "center is 1"),
        ({"upscale": "no"}, "upscale is 'no'"),
        ({"size": (0, 3)}, "size is"),
        ({"interpolation": "cubic"}, "interpolation is 'cubic'"),
        ({"mean": (1.0,)}, "mean is"),
    ],
)
def test_values_that_cannot_be_are_refused_when_declared(values, told):
    with pytest.raises(UsageError, match=told):
        dataclasses.replace(letterbox((8, 8)), **values)
