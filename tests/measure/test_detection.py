from __future__ import annotations

import numpy as np
import pytest

from speedwell.core import AccuracyVerdict, Evidence, Promise
from speedwell.core.errors import DataError, EmptySplitError, UsageError
from speedwell.core.matches import LEVELS, Matches
from speedwell.measure import claim_p, judge, judge_matches, look_ahead_matches
from speedwell.measure.detection import matches_differences


def detector(
    images: int, right: float, seed: int = 0, classes: int = 2, objects: int = 3, changed: float = 0.0
) -> Evidence:
    """Each object is found with probability ``right``, one false alarm an image; ``changed``: share of finds that
    another run of the dice decides (a candidate that differs without being worse).
    """
    rng, other = np.random.default_rng(seed), np.random.default_rng(seed + 1)
    d = objects + 1
    labels = np.tile(np.arange(d) % classes, images).astype(np.int32)
    found = rng.random((images, objects)) < right
    scores = rng.uniform(0.3, 1.0, (images, d))
    again = other.random((images, objects)) < changed
    found = np.where(again, other.random((images, objects)) < right, found)
    hits = np.concatenate([found * 0x3FF, np.zeros((images, 1))], 1).astype(np.uint16)
    order = np.argsort(-scores, axis=1)
    scores, hits = np.take_along_axis(scores, order, 1), np.take_along_axis(hits, order, 1)
    labels = np.take_along_axis(labels.reshape(images, d), order, 1).ravel()
    matches = Matches(
        LEVELS, np.arange(images), np.arange(images + 1) * d, scores.ravel().astype(np.float32), labels, hits.ravel(),
        np.zeros(images * d, np.uint16), np.zeros((0, 4), np.float32), np.arange(images + 1) * objects,
        np.tile(np.arange(objects) % classes, images).astype(np.int32),
    )  # fmt: skip
    return Evidence("matches", np.zeros(images), np.zeros(0, np.int64), matches)


def test_a_candidate_that_finds_the_same_is_kept():
    original = detector(200, 0.9)
    claim = judge(original, detector(200, 0.9), Promise("accuracy", 0.01, "1pt"))
    assert claim.verdict is AccuracyVerdict.KEPT
    assert (claim.lower, claim.n) == (0.0, 200)
    assert claim.original == original.metric()
    assert claim.test == "paired bootstrap over images of AP, 2,000 resamples"


def test_a_candidate_that_finds_much_less_is_lost_and_a_better_one_is_better():
    good, bad = detector(300, 0.9), detector(300, 0.7)
    promise = Promise("accuracy", 0.01, "1pt")
    assert judge(good, bad, promise).verdict is AccuracyVerdict.LOST
    assert judge(bad, good, promise).verdict is AccuracyVerdict.BETTER
    assert claim_p(good, bad, promise) == 1.0
    assert claim_p(bad, good, promise) < 0.001


def test_a_small_loss_on_few_images_is_undecided_with_the_number_that_would_do():
    claim = judge_matches(detector(150, 0.9), detector(150, 0.9, changed=0.1), 0.002)
    assert claim.verdict is AccuracyVerdict.UNDECIDED
    assert claim.need > 150
    assert f"{claim.need:,}" in claim.note


def test_under_100_images_nothing_is_claimed():
    claim = judge_matches(detector(99, 0.9), detector(99, 0.9), 0.05)
    assert (claim.verdict, claim.need) == (AccuracyVerdict.UNDECIDED, 100)
    assert "need n >= 100" in claim.note


def test_under_30_objects_of_a_class_nothing_is_claimed():
    original = detector(120, 0.9)
    objects = original.matches.objects.copy()
    objects[:20] = 2  # a third class, 20 times in 120 images
    original = Evidence("matches", original.scores, original.answers, Matches(
        **{**original.matches.arrays(), "objects": objects}))  # fmt: skip
    claim = judge_matches(original, original, 0.05)
    assert (claim.verdict, claim.need) == (AccuracyVerdict.UNDECIDED, 180)
    assert claim.note == "undecided: 1 classes have under 30 objects, need n >= 180"


def test_the_same_images_are_drawn_for_both():
    original, candidate = detector(120, 0.9), detector(120, 0.9, changed=0.05)
    differences, (before, after) = matches_differences(original, candidate)
    rng = np.random.default_rng(0)
    index = rng.integers(0, 120, 120)
    assert differences[0] == candidate.metric(index) - original.metric(index)
    assert (before, after) == (original.metric(), candidate.metric())
    apart = np.std([original.metric(i) for i in rng.integers(0, 120, (200, 120))])
    assert differences.std() < apart


@pytest.mark.slow
def test_the_promise_is_wrongly_claimed_one_time_in_twenty_at_most():
    """Candidates that truly lose the margin, which is known from 40,000 images."""
    runs = 100
    margin = detector(40_000, 0.9).metric() - detector(40_000, 0.83).metric()
    assert 0.05 < margin < 0.2
    kept = sum(
        judge_matches(detector(120, 0.9, 2 * seed), detector(120, 0.83, 2 * seed), margin).verdict.holds
        for seed in range(runs)
    )
    assert kept <= runs * 0.05 + 2 * np.sqrt(runs * 0.05 * 0.95)


def test_what_is_no_pair_is_an_error():
    original = detector(120, 0.9)
    with pytest.raises(DataError, match="no pairs"):
        judge_matches(original, detector(119, 0.9), 0.01)
    with pytest.raises(DataError, match="no matches"):
        judge_matches(original, original.without_matches(), 0.01)
    with pytest.raises(EmptySplitError):
        judge_matches(original.take(np.zeros(0, int)), original.take(np.zeros(0, int)), 0.01)
    with pytest.raises(UsageError, match="too few"):
        judge_matches(original, original, 0.01, resamples=100)
    with pytest.raises(UsageError, match="margin"):
        judge_matches(original, original, 0.0)


def test_looking_ahead_says_what_the_images_can_show():
    evidence = detector(200, 0.9)
    little, much = look_ahead_matches(evidence, 200), look_ahead_matches(evidence, 5000)
    assert 0 < much.tightest < little.tightest < 0.1
    assert "points of average precision" in little.sentence
    asked = look_ahead_matches(evidence, 200, margin=0.0005)
    assert not asked.enough
    assert asked.need > 200
    assert f"{asked.need:,} images would bring it to 80 %" in asked.sentence
    assert look_ahead_matches(evidence, 2000, margin=0.05).enough


def test_looking_ahead_says_how_many_are_missing():
    few = look_ahead_matches(detector(60, 0.9), 60, 0.01)
    assert (few.enough, few.need) == (False, 100)
    assert few.sentence == "60 confirmation images carry no claim on average precision; 100 are needed."
    original = detector(200, 0.9)
    objects = original.matches.objects.copy()
    objects[:15] = 2
    rare = Evidence("matches", original.scores, original.answers, Matches(
        **{**original.matches.arrays(), "objects": objects}))  # fmt: skip
    found = look_ahead_matches(rare, 300, 0.01)
    assert (found.enough, found.need) == (False, 400)
    assert "1 class is too rare" in found.sentence
