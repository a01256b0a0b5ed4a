from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedwell.core import Evidence
from speedwell.core.matches import LEVELS, Matches


def made(seed: int, images: int, classes: int = 3, steps: int = 8, levels: int = 10) -> Matches:
    """Random matches, many scores equal: better levels never hit without the worse ones."""
    rng = np.random.default_rng(seed)
    lengths, objects = rng.integers(0, 6, images), rng.integers(0, 5, images)
    d = int(lengths.sum())
    reached, aside = rng.integers(0, levels + 1, d), rng.random(d) < 0.1
    bits = np.array([(1 << int(r)) - 1 for r in reached], np.uint16)
    scores = np.concatenate(
        [np.zeros(0), *(np.sort(rng.integers(1, steps + 1, n))[::-1] / steps for n in lengths)]
    ).astype(np.float32)
    return Matches(
        levels=LEVELS[:levels],
        order=np.arange(images),
        starts=np.concatenate([[0], np.cumsum(lengths)]),
        scores=scores,
        labels=rng.integers(0, classes, d).astype(np.int32),
        hits=np.where(aside, 0, bits).astype(np.uint16),
        ignored=np.where(aside, bits, 0).astype(np.uint16),
        boxes=rng.random((d, 4)).astype(np.float32),
        object_starts=np.concatenate([[0], np.cumsum(objects)]),
        objects=rng.integers(0, classes, int(objects.sum())).astype(np.int32),
    )


def evidence(matches: Matches) -> Evidence:
    return Evidence("matches", np.zeros(len(matches)), np.zeros(0, np.int64), matches)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.data())
def test_the_metric_of_a_resample_is_that_of_its_images(seed: int, images: int, data: st.DataObject) -> None:
    matches = made(seed, images)
    index = np.array(data.draw(st.lists(st.integers(0, images - 1), min_size=1, max_size=20)))
    whole = evidence(matches)
    assert whole.metric(index) == whole.take(index).metric()
    assert whole.metric(index) == whole.metric(np.sort(index))
    assert whole.take(index).metric(np.arange(len(index))[::-1]) == whole.metric(index)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 12), st.integers(1, 11))
def test_parts_joined_are_the_whole(seed: int, images: int, cut: int) -> None:
    whole = evidence(made(seed, images))
    cut = min(cut, images - 1)
    # a part made by itself counts its images from 0
    parts = [whole.take(np.arange(cut)), whole.take(np.arange(cut, images))]
    second = parts[1].matches
    assert second is not None
    parts[1] = evidence(Matches(**{**second.arrays(), "order": np.arange(images - cut)}))
    joined = Evidence.join(parts)
    for name, array in whole.arrays().items():
        assert array.tobytes() == joined.arrays()[name].tobytes(), name
    assert joined.metric() == whole.metric()


def test_precision_is_read_at_a_hundred_and_one_recalls() -> None:
    """Two objects; found: right (0.9), wrong (0.8), right (0.7). Precision 1 up to recall 0.5, then 2 / 3."""
    matches = Matches(
        levels=LEVELS[:1], order=np.arange(1), starts=np.array([0, 3]), scores=np.array([0.9, 0.8, 0.7], np.float32),
        labels=np.zeros(3, np.int32), hits=np.array([1, 0, 1], np.uint16), ignored=np.zeros(3, np.uint16),
        boxes=np.zeros((0, 4), np.float32), object_starts=np.array([0, 2]), objects=np.zeros(2, np.int32),
    )  # fmt: skip
    assert matches.average_precision() == pytest.approx((51 + 50 * 2 / 3) / 101, abs=1e-12)
    aside = Matches(**{**matches.arrays(), "ignored": np.array([0, 1, 0], np.uint16)})
    assert aside.average_precision() == 1.0


def test_classes_without_an_object_do_not_count_and_nothing_at_all_is_0() -> None:
    matches = made(1, 6)
    there = matches.ranking.by_class()
    assert matches.average_precision() == pytest.approx(np.nanmean(there))
    none = matches.take(np.zeros(0, np.int64))
    assert (none.average_precision(), len(none)) == (0.0, 0)
    alone = Matches(**{**matches.arrays(), "objects": np.zeros(0, np.int32), "object_starts": np.zeros(7, np.int64)})
    assert alone.average_precision() == 0.0


def test_objects_are_counted_by_class_and_by_how_often_an_image_is_drawn() -> None:
    matches = made(5, 8)
    index = np.array([0, 0, 3])
    assert matches.objects_per_class(index).sum() == len(matches.take(index).objects)
    assert matches.objects_per_class().tolist() == np.bincount(matches.objects).tolist()


def test_arrays_come_back_bit_by_bit_and_nothing_else_is_taken() -> None:
    matches = made(2, 5)
    back = Matches.of_arrays(matches.arrays())
    for name, array in matches.arrays().items():
        assert array.tobytes() == back.arrays()[name].tobytes()
    assert len(Matches.of_arrays(matches.without_boxes().arrays()).boxes) == 0
    good = matches.arrays()
    for name, wrong in (
        ("starts", good["starts"][:-1]), ("starts", good["starts"][::-1].copy()), ("labels", good["labels"][1:]),
        ("scores", good["scores"].astype("f8")), ("boxes", good["boxes"][:, :3]), ("boxes", good["boxes"][1:]),
        ("levels", np.zeros(17)), ("scores", np.full_like(good["scores"], np.nan)),
        ("objects", good["objects"] - np.int32(9)), ("object_starts", good["object_starts"] + 1),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r".+"):
            Matches.of_arrays({**good, name: wrong})
    with pytest.raises(KeyError):
        Matches.of_arrays({k: v for k, v in good.items() if k != "hits"})


def test_evidence_travels_as_arrays() -> None:
    for whole in (
        evidence(made(3, 4)),
        Evidence("binary", np.array([1.0, 0.0]), np.array([3, 4])),
        Evidence("score", np.array([0.25]), np.zeros(0, np.int64)),
    ):
        back = Evidence.of_arrays(whole.kind, whole.arrays())
        assert back.kind == whole.kind
        assert back.metric() == whole.metric()
        assert back.arrays().keys() == whole.arrays().keys()
    with pytest.raises(ValueError, match="magic"):
        Evidence.of_arrays("magic", {})
    with pytest.raises(ValueError, match="4 images of matches, 1 scores"):
        Evidence.of_arrays("matches", {**evidence(made(3, 4)).arrays(), "scores": np.zeros(1)})


def test_scores_alone_are_kept_for_people() -> None:
    whole = evidence(made(3, 4))
    assert whole.without_matches().matches is None
    assert whole.without_boxes().metric() == whole.metric()
    assert whole.without_boxes().matches.boxes.shape == (0, 4)
