from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedwell.core.errors import UsageError
from speedwell.inputs import Scenes, is_scenes, make_splits, read_scenes
from speedwell.inputs.scenes import PARTS, _pool
from speedwell.inputs.textures import texture


def test_a_scene_is_a_function_of_seed_part_size_and_index():
    scenes = Scenes(7, 128)
    assert np.array_equal(scenes.picture(5), Scenes(7, 128).picture(5))
    assert scenes.objects(5).same(scenes.objects(5))
    for other in (Scenes(8, 128), Scenes(7, 128, "selection")):
        assert not np.array_equal(scenes.picture(5), other.picture(5))
    assert not np.array_equal(scenes.picture(5), scenes.picture(6))
    assert Scenes(7, 160).picture(5).shape == (160, 160, 3)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 2**32 - 1), st.sampled_from([48, 96, 128, 160]), st.sampled_from(sorted(PARTS)), st.integers(0, 9999)
)
def test_boxes_are_exactly_around_what_was_painted(seed, size, part, index):
    scenes = Scenes(seed, size, part)
    objects, inks = scenes._layout(index)
    assert 1 <= len(objects) <= 6
    assert objects.clipped().same(objects)
    before = texture(scenes._rng(index, 1), size).astype(int)
    painted = np.abs(scenes.picture(index).astype(int) - before).max(2) > 0
    allowed = np.zeros((size, size), bool)
    sides = (objects.boxes[:, 2:] - objects.boxes[:, :2]).max(1)
    assert (sides <= min(64, size // 2) + 1).all()
    assert (sides >= 13).all()  # what was under the threshold of ink is cut off
    for (x1, y1, x2, y2), ink in zip(objects.boxes.astype(int).tolist(), inks, strict=True):
        allowed[y1:y2, x1:x2] |= ink > 0
        assert ink.shape == (y2 - y1, x2 - x1)
        for edge in (ink[0], ink[-1], ink[:, 0], ink[:, -1]):
            assert edge.max() >= 32
    assert not (painted & ~allowed).any()
    assert painted.sum() > 0.8 * allowed.sum()  # a wave of the ground may have the digit's colour here and there


def test_digits_share_little_and_all_classes_occur():
    from speedwell.inputs.scenes import _overlap

    classes = np.zeros(10)
    for i in range(300):
        objects = Scenes(1).objects(i)
        classes += np.bincount(objects.classes, minlength=10)
        boxes = [tuple(b) for b in objects.boxes.tolist()]
        assert all(_overlap(a, b) <= 0.15 for k, a in enumerate(boxes) for b in boxes[:k])
    assert classes.min() > 0.6 * classes.mean()


def test_no_scan_is_in_two_parts():
    pools = {part: [scan.tobytes() for by_class in _pool(part) for scan in by_class] for part in PARTS}
    assert {part: len(pool) for part, pool in pools.items()} == {"train": 3000, "selection": 750, "confirmation": 1250}
    assert not set(pools["train"]) & set(pools["confirmation"])
    assert not set(pools["train"]) & set(pools["selection"])
    assert not set(pools["selection"]) & set(pools["confirmation"])


def test_a_reference_is_read_lazily_and_splits():
    samples = read_scenes("scenes:digits?n=60&seed=3&size=96&part=confirmation")
    assert len(samples) == 60
    assert samples.classes == tuple("0123456789")
    assert samples[4].raw.shape == (96, 96, 3)
    assert samples[4].objects.same(Scenes(3, 96, "confirmation").objects(4))
    assert samples[4].origin == "digits confirmation 3:4"
    assert len(set(samples.digests())) == 60
    assert make_splits(samples).counts["confirmation"] == 42
    assert len(read_scenes("scenes:digits?n=2")) == 2
    assert is_scenes("scenes:digits")
    assert not is_scenes("photos")


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("scenes:cats", "there are no scenes 'scenes:cats'"),
        ("digits", "there are no scenes"),
        ("scenes:digits?n=0", "n of scenes is '0'"),
        ("scenes:digits?n=-3", "n of scenes is '-3'"),
        ("scenes:digits?n=9999999", "n of scenes"),
        ("scenes:digits?n=", "n of scenes is ''"),
        ("scenes:digits?seed=x", "seed of scenes is 'x'"),
        ("scenes:digits?size=8", "size of scenes is '8'"),
        ("scenes:digits?part=test", "no part 'test'"),
        ("scenes:digits?colour=red", "no option colour"),
        ("scenes:digits?n=3&n=4", "each once"),
        ("scenes:digits?n", "n of scenes is ''"),
        ("scenes:digits?&n=4", "name=value"),
    ],
)
def test_other_references_are_refused(reference, told):
    with pytest.raises(UsageError, match=told):
        read_scenes(reference)


def test_rendering_costs_little():
    """700 a second were seen; ten times slower than wanted would be a fault."""
    scenes = Scenes(0)
    scenes.picture(0)
    start = time.process_time()
    for i in range(100):
        scenes.picture(i)
    assert time.process_time() - start < 2
