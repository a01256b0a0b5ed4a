from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from speedwell.core.errors import CorruptSampleError, InputMismatchError, UsageError
from speedwell.inputs import ImageTransform

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def run(transform, *raws):
    return transform.finish([transform.encode(r) for r in raws])[transform.input]


def test_pixels_are_scaled_normalised_and_laid_out():
    raw = picture(4, 6)
    want = ((raw / 255 - MEAN) / STD).astype(np.float32)
    base = ImageTransform("x", (4, 6), mean=MEAN, std=STD)
    assert np.array_equal(run(base, raw)[0], want.transpose(2, 0, 1))
    assert np.array_equal(run(dataclasses.replace(base, layout="nhwc"), raw)[0], want)
    bgr = run(dataclasses.replace(base, colour="bgr", mean=MEAN[::-1], std=STD[::-1]), raw)[0]
    assert np.array_equal(bgr, want.transpose(2, 0, 1)[::-1])


def test_every_pixel_value_is_within_the_roundings_of_torchs_arithmetic():
    import torch

    raw = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    ours = run(ImageTransform("x", (16, 16), mean=MEAN, std=STD), raw)[0]
    tensor = torch.from_numpy(raw.transpose(2, 0, 1).copy()).float().div(255)
    mean, std = (torch.tensor(v)[:, None, None] for v in (MEAN, STD))
    # torch rounds v / 255, mean, the difference, std and the quotient to float32, we the end: with u = 2^-24 at most
    # 3u / std + (2 + 1) u |out|, std >= 0.224, |out| <= 2.65
    assert np.abs(ours - ((tensor - mean) / std).numpy()).max() <= (3 / 0.224 + 3 * 2.65) * 2**-24


def test_plain_pixels_reach_an_integer_model_untouched():
    raw = picture(3, 3)
    out = run(ImageTransform("x", (3, 3), scale=1.0, dtype="uint8", layout="nhwc"), raw)
    assert out.dtype == np.uint8
    assert np.array_equal(out[0], raw)


def test_another_scale_and_gray_work():
    out = run(
        ImageTransform("x", (2, 2), scale=1.0, mean=(127.0,), std=(128.0,), colour="gray"),
        np.full((2, 2), 255, np.uint8),
    )
    assert out.shape == (1, 1, 2, 2)
    assert out[0, 0, 0, 0] == 1.0


def test_the_batch_is_float32_and_in_order():
    raws = [picture(5, 5, s) for s in range(3)]
    transform = ImageTransform("x", (5, 5))
    batch = run(transform, *raws)
    assert batch.shape == (3, 3, 5, 5)
    assert batch.dtype == np.float32
    for row, raw in zip(batch, raws, strict=True):
        assert np.array_equal(row, run(transform, raw)[0])


def test_stretching_is_pillows_resize():
    raw = picture(9, 30)
    have = ImageTransform("x", (7, 8), interpolation="bicubic").encode(raw)["pixels"]
    assert np.array_equal(have, np.asarray(Image.fromarray(raw).resize((8, 7), Image.Resampling.BICUBIC)))


def test_shortest_resizes_and_cuts_the_centre_as_torchvision_does():
    raw = picture(20, 31)
    have = ImageTransform("x", (8, 8), resize="shortest", resize_to=11).encode(raw)["pixels"]
    whole = Image.fromarray(raw).resize((17, 11), Image.Resampling.BILINEAR)  # 11 * 31 / 20 = 17.05
    top, left = 2, 4  # round(1.5) and round(4.5), to even
    assert np.array_equal(have, np.asarray(whole)[top : top + 8, left : left + 8])


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 12), st.integers(1, 12), st.booleans())
def test_any_image_becomes_the_size_that_the_network_sees(height, width, h, w, stretch):
    transform = ImageTransform("x", (h, w), resize="stretch" if stretch else "shortest")
    assert transform.encode(picture(height, width))["pixels"].shape == (h, w, 3)


def test_an_image_of_another_size_is_refused_with_both_sizes_and_the_fix():
    with pytest.raises(InputMismatchError, match="10x12, the model takes 8x8") as caught:
        ImageTransform("x", (8, 8), resize="none", crop="none").encode(picture(10, 12))
    assert "--size 10x12" in caught.value.fix
    assert ImageTransform("x", (8, 8), resize="none", crop="center").encode(picture(10, 12))["pixels"].shape == (
        8,
        8,
        3,
    )
    with pytest.raises(InputMismatchError, match="7x9"):
        ImageTransform("x", (8, 8), resize="none", crop="center").encode(picture(7, 9))


def test_prepared_tensors_pass_through_and_others_are_refused():
    import torch

    ready = np.random.default_rng(0).standard_normal((3, 4, 6)).astype(np.float32)
    transform = ImageTransform("x", (4, 6), mean=MEAN, std=STD)
    assert np.array_equal(run(transform, ready)[0], ready)
    assert np.array_equal(run(transform, torch.from_numpy(ready))[0], ready)
    assert np.array_equal(run(transform, ready, picture(4, 6))[0], ready)
    with pytest.raises(InputMismatchError, match=r"\(3, 6, 4\)"):
        transform.encode(ready.reshape(3, 6, 4))
    with pytest.raises(CorruptSampleError, match="NaN"):
        transform.encode(np.full((3, 4, 6), np.nan, np.float32))


def test_a_broken_file_is_a_corrupt_sample(digits):
    with pytest.raises(CorruptSampleError):
        ImageTransform("x", (8, 8)).encode(digits[0][0][:60])


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"size": (0, 3)}, "size is"),
        ({"size": (3.0, 3)}, "size is"),
        ({"input": ""}, "name is"),
        ({"resize": "fit"}, "resize is 'fit'"),
        ({"mean": (0.5,)}, "mean is"),
        ({"std": (0.0, 1.0, 1.0)}, "std is"),
        ({"scale": float("nan")}, "scale is"),
        ({"resize_to": 5}, "resizing to 5"),
        ({"resize": "none", "resize_to": 9}, "resize_to is 9"),
        ({"resize": "shortest", "crop": "none"}, "without a crop"),
        ({"dtype": "complex64"}, "dtype is"),
    ],
)
def test_values_that_cannot_be_are_refused_when_declared(values, told):
    with pytest.raises(UsageError, match=told):
        ImageTransform(**({"input": "x", "size": (8, 8)} | values))
