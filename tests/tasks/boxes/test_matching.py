from __future__ import annotations

import numpy as np
import pytest
from coco_reference import coco_ap, scene
from hypothesis import given, settings
from hypothesis import strategies as st

from speedwell.core import Evidence
from speedwell.core.errors import LabelMismatchError
from speedwell.core.matches import LEVELS
from speedwell.inputs import Objects
from speedwell.tasks.boxes.detections import Detections
from speedwell.tasks.boxes.matching import matched, overlaps


def found(boxes, scores, classes=None):
    classes = np.zeros(len(boxes), np.int64) if classes is None else np.array(classes)
    return Detections.best(np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32), classes, 10_000)


def there(boxes, classes=None, ignore=None):
    return Objects.of(boxes, np.zeros(len(boxes), np.int64) if classes is None else classes, (64, 80), ignore)


BOX, OTHER = [0, 0, 10, 10], [20, 20, 30, 30]
EDGES = {
    "no object anywhere in one image": ([found([BOX], [0.9]), found([BOX], [0.8])], [there([]), there([BOX])]),
    "nothing found": ([found([], []), found([], [])], [there([BOX]), there([OTHER])]),
    "one of two images empty on both sides": ([found([], []), found([BOX], [0.4])], [there([]), there([BOX])]),
    "the same box twice": ([found([BOX, BOX], [0.9, 0.8])], [there([BOX])]),
    "two equal objects": ([found([BOX, BOX], [0.9, 0.8])], [there([BOX, BOX])]),
    "an object to ignore is hit twice": ([found([BOX, BOX], [0.9, 0.8])], [there([BOX, OTHER], None, [True, False])]),
    "an ignored object below a real one": (
        [found([BOX, [0, 0, 10, 9]], [0.9, 0.8])],
        [there([BOX, [0, 0, 20, 20]], None, [False, True])],
    ),
    "equal scores in two images": (
        [found([OTHER, BOX], [0.5, 0.5]), found([BOX, OTHER], [0.5, 0.5])],
        [there([BOX]), there([BOX])],
    ),
    "a box without area": ([found([[5, 5, 5, 5], BOX], [0.9, 0.8])], [there([BOX])]),
    "another class": ([found([BOX], [0.9], [1])], [there([BOX], [0])]),
    "an overlap of exactly one half": ([found([[0, 0, 10, 5]], [0.9])], [there([BOX])]),
    "a hundred and fifty found in one image": (
        [found([BOX] * 149 + [OTHER], np.linspace(0.9, 0.1, 150)), found([BOX], [0.95])],
        [there([OTHER]), there([BOX])],
    ),
}


@pytest.mark.parametrize("name", EDGES)
def test_edges_equal_faster_coco_eval(name):
    detections, objects = EDGES[name]
    evidence = matched(detections, objects, LEVELS)
    half = matched(detections, objects, LEVELS[:1])
    assert (evidence.metric(), half.metric()) == pytest.approx(coco_ap(detections, objects, 2), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 4), st.sampled_from([0, 4, 30]),
    st.sampled_from([0.0, 0.2]), st.sampled_from([2, 60]),
)  # fmt: skip
def test_random_pictures_equal_faster_coco_eval(seed, images, classes, steps, ignore, alarms):
    rng = np.random.default_rng(seed)
    scenes = [scene(rng, classes, int(rng.integers(0, 8)), alarms, ignore, steps) for _ in range(images)]
    detections, objects = [s[0] for s in scenes], [s[1] for s in scenes]
    wanted = coco_ap(detections, objects, classes)
    have = matched(detections, objects, LEVELS).metric(), matched(detections, objects, LEVELS[:1]).metric()
    if wanted[0] < 0:  # nothing that counts: COCOeval says -1
        assert have == (0.0, 0.0)
    else:
        assert have == pytest.approx(wanted, abs=1e-9)


def test_a_resample_equals_faster_coco_eval_on_the_same_images():
    rng = np.random.default_rng(3)
    scenes = [scene(rng, 3, 5, 6) for _ in range(20)]
    evidence = matched([s[0] for s in scenes], [s[1] for s in scenes], LEVELS)
    for _ in range(5):
        index = rng.integers(0, 20, 20)
        drawn = [scenes[i] for i in index]
        wanted = coco_ap([s[0] for s in drawn], [s[1] for s in drawn], 3)[0]
        assert evidence.metric(index) == pytest.approx(wanted, abs=1e-9)


def test_batches_joined_are_the_whole():
    rng = np.random.default_rng(4)
    scenes = [scene(rng, 3, 4, 5, steps=6) for _ in range(9)]
    detections, objects = [s[0] for s in scenes], [s[1] for s in scenes]
    whole = matched(detections, objects, LEVELS)
    parts = Evidence.join([matched(detections[c], objects[c], LEVELS) for c in (slice(0, 4), slice(4, 5), slice(5, 9))])
    assert parts.metric() == whole.metric()
    for name, array in whole.arrays().items():
        assert array.tobytes() == parts.arrays()[name].tobytes(), name


def test_an_images_own_score_says_how_well_it_was_read():
    evidence = matched(
        [found([BOX], [0.9]), found([OTHER], [0.9]), found([], []), found([BOX], [0.75])],
        [there([BOX]), there([BOX]), there([]), there([])],
        LEVELS,
    )
    assert evidence.scores.tolist() == [1.0, 0.0, 1.0, 0.25]
    assert len(evidence.answers) == 0


def test_an_image_without_labels_is_an_error():
    with pytest.raises(LabelMismatchError, match="Label all"):
        matched([found([BOX], [0.9])], [None], LEVELS)


def test_the_overlap_with_what_is_ignored_is_the_share_inside_it():
    table = overlaps(np.array([[0, 0, 10, 10]]), np.array([[0, 0, 5, 20], [0, 0, 5, 20]]), np.array([False, True]))
    assert table.tolist() == [[50 / 150, 0.5]]
