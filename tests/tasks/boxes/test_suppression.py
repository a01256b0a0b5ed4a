from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_boxes import plain_suppressed

from speedwell.tasks.boxes.detections import Detections
from speedwell.tasks.boxes.suppression import suppress


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 60), st.integers(1, 4), st.sampled_from([0.0, 0.3, 0.6, 1.0]),
       st.sampled_from([3, 100]))  # fmt: skip
def test_the_fast_rule_is_the_plain_one(seed, n, classes, iou, most):
    rng = np.random.default_rng(seed)
    corner = rng.uniform(-20, 40, (n, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(0, 30, (n, 2))], 1).astype(np.float32)
    scores = rng.permutation(np.linspace(0.1, 0.9, n)).astype(np.float32)
    found = Detections.best(boxes, scores, rng.integers(0, classes, n), n)
    rows = [
        (float(s), int(c), tuple(map(float, b)))
        for s, c, b in zip(found.scores, found.classes, found.boxes, strict=True)
    ]
    wanted = plain_suppressed(rows, iou, most)
    kept = suppress(found, iou, most)
    assert kept.scores.tolist() == [w[0] for w in wanted]
    assert kept.classes.tolist() == [w[1] for w in wanted]
    assert kept.boxes.tolist() == [list(w[2]) for w in wanted]


def test_the_same_box_of_another_class_stays():
    box = np.array([[0, 0, 10, 10]] * 3, np.float32)
    found = Detections.best(box, np.array([0.9, 0.8, 0.7], np.float32), np.array([0, 1, 0]), 3)
    assert suppress(found, 0.5, 100).classes.tolist() == [0, 1]


def test_large_pictures_keep_their_pixels_apart():
    """Classes are told apart by a shift; in float32 a shift of a million would round boxes to a quarter pixel."""
    boxes = np.array([[0, 0, 1, 1], [0.5, 0, 1.5, 1], [9e4, 9e4, 1e5, 1e5]], np.float32)
    found = Detections.best(boxes, np.array([0.9, 0.8, 0.7], np.float32), np.array([79, 79, 0]), 3)
    assert len(suppress(found, 0.34, 100)) == 3
    assert len(suppress(found, 0.33, 100)) == 2
