"""Each head against the same rule written plainly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_boxes import plain_detr, plain_grid, plain_yolo

from speedwell.core.errors import JobError, UsageError
from speedwell.tasks.boxes.detr import Detr
from speedwell.tasks.boxes.grid import Grid
from speedwell.tasks.boxes.head import Quota, best_of, sigmoid
from speedwell.tasks.boxes.torchvision import Torchvision
from speedwell.tasks.boxes.yolo import Yolo

seeds = st.integers(0, 2**32 - 1)
ALL = Quota(0.0, 100_000)


def same(found, rows, quota=ALL):
    """Scores, classes and boxes of one image are those of plain ``rows`` (score, class, box)."""
    wanted = sorted((r for r in rows if r[0] >= quota.score), key=lambda r: -r[0])[: quota.candidates]
    assert len(found) == len(wanted)
    np.testing.assert_allclose(found.scores, [w[0] for w in wanted], atol=1e-6)
    assert found.scores.dtype == found.boxes.dtype == np.float32
    assert found.classes.dtype == np.int64
    order = np.lexsort((found.boxes[:, 0], found.classes, -np.round(found.scores, 5)))
    wanted = sorted(wanted, key=lambda r: (-round(r[0], 5), r[1], r[2][0]))
    assert found.classes[order].tolist() == [w[1] for w in wanted]
    np.testing.assert_allclose(found.boxes[order], [w[2] for w in wanted], rtol=1e-4, atol=1e-3)


def distinct(rng, shape, spread=4.0):
    """Values no two of which are near: their order is the same in every precision."""
    values = np.linspace(-spread, spread, int(np.prod(shape)))
    return rng.permutation(values).reshape(shape).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(seeds, st.sampled_from([(32, 32), (32, 64)]), st.sampled_from([(8, 16), (16,)]), st.integers(1, 4))
def test_a_grids_cells_and_distances(seed, size, strides, classes):
    rng = np.random.default_rng(seed)
    cells = sum((size[0] // s) * (size[1] // s) for s in strides)
    boxes = rng.exponential(1.0, (2, cells, 4)).astype(np.float32)
    scores = distinct(rng, (2, cells, classes))
    head = Grid(size=size, strides=strides)
    for quota in (ALL, Quota(0.5, 7)):
        found = head.candidates({"boxes": boxes, "scores": scores}, 2, quota)
        for i in range(2):
            same(found[i], plain_grid(boxes[i], scores[i], strides, size), quota)


@settings(max_examples=40, deadline=None)
@given(
    seeds, st.booleans(), st.sampled_from(["cxcywh", "xyxy"]), st.booleans(), st.booleans(),
    st.sampled_from(["probability", "logit"]), st.booleans(), st.integers(1, 3),
)  # fmt: skip
def test_every_layout_of_yolo(seed, objectness, boxes, normalized, decoded, scores, transposed, classes):
    rng = np.random.default_rng(seed)
    head = Yolo(
        size=(32, 64), objectness=objectness, boxes=boxes, normalized=normalized and decoded, decoded=decoded,
        scores=scores, transposed=transposed, strides=(8, 16),
    )  # fmt: skip
    places = 40
    corner = rng.uniform(0, 1, (2, places, 2))
    four = np.concatenate([corner, corner + rng.uniform(0.1, 1, (2, places, 2))], axis=2)
    rest = distinct(rng, (2, places, classes + objectness), 3.0)
    rest = rest if scores == "logit" else sigmoid(rest)
    table = np.concatenate([four, rest], axis=2).astype(np.float32)
    given_ = table.transpose(0, 2, 1) if transposed else table
    found = head.candidates({"whatever": given_}, 2, ALL)
    for i in range(2):
        same(found[i], plain_yolo(table[i], head))
    few = Quota(0.3, 1000)
    for i, one in enumerate(head.candidates({"output0": given_}, 2, few)):
        wanted = [r for r in plain_yolo(table[i], head) if abs(r[0] - 0.3) > 1e-6]
        same(one, wanted, few)


def test_the_shape_says_which_axis_holds_the_places():
    table = np.zeros((1, 6, 50), np.float32)
    table[0, 5, 7] = 0.9
    for given_ in (table, table.transpose(0, 2, 1)):
        (found,) = Yolo().candidates({"output0": given_}, 1, Quota(0.5, 10))
        assert (found.classes.tolist(), found.scores.tolist()) == ([1], [np.float32(0.9)])


@settings(max_examples=25, deadline=None)
@given(seeds, st.sampled_from(["softmax", "sigmoid"]), st.integers(1, 4))
def test_queries_of_a_detr(seed, activation, classes):
    rng = np.random.default_rng(seed)
    logits = distinct(rng, (2, 9, classes + (activation == "softmax")))
    boxes = rng.uniform(0.1, 0.9, (2, 9, 4)).astype(np.float32)
    found = Detr(size=(48, 64), activation=activation).candidates({"logits": logits, "pred_boxes": boxes}, 2, ALL)
    for i in range(2):
        same(found[i], plain_detr(logits[i].astype(float), boxes[i].astype(float), (48, 64), activation))


TWO = {
    "boxes": np.array([[[0, 0, 4, 4], [1, 1, 9, 9], [0, 0, 0, 0]], [[2, 2, 3, 3], [0, 0, 0, 0], [0, 0, 0, 0]]], "f4"),
    "scores": np.array([[0.5, 0.75, 0], [0.25, 0, 0]], "f4"),
    "labels": np.array([[1, 3, 0], [2, 0, 0]]),
}


@pytest.mark.parametrize("layout", ["padded", "lists", "objects", "flattened"])
def test_torchvisions_lists_padded_or_not(layout):
    count = [2, 1]
    if layout == "padded":
        outputs = TWO
    elif layout == "flattened":
        outputs = {f"output_{i}_{k}": v[i][: count[i]] for i in range(2) for k, v in TWO.items()}
    else:
        lists = {k: [v[i][: count[i]] for i in range(2)] for k, v in TWO.items()}
        if layout == "objects":
            lists = {k: np.array([*v, None], object)[:2] for k, v in lists.items()}
        outputs = lists
    first, second = Torchvision().candidates(outputs, 2, Quota(0.0, 100))
    assert first.classes.tolist() == [2, 0]
    assert first.boxes.tolist() == [[1, 1, 9, 9], [0, 0, 4, 4]]
    assert (second.classes.tolist(), second.scores.tolist()) == ([1], [0.25])


def test_one_image_of_torchvision_needs_no_batch_axis():
    outputs = {k: v[0] for k, v in TWO.items()}
    (found,) = Torchvision(offset=0).candidates(outputs, 1, Quota(0.6, 100))
    assert (found.classes.tolist(), found.scores.tolist()) == ([3], [0.75])


@pytest.mark.parametrize(
    ("head", "outputs", "told"),
    [
        (Grid(size=(32, 32)), {"boxes": np.zeros((1, 21, 4)), "x": np.zeros((1, 21, 2))}, "no output 'scores'"),
        (Grid(size=(32, 32)), {"boxes": np.zeros((1, 20, 4)), "scores": np.zeros((1, 20, 2))}, "21 cells"),
        (Grid(size=(32, 32)), {"boxes": np.zeros((1, 21, 5)), "scores": np.zeros((1, 21, 2))}, r"\[1, 21, 5\]"),
        (Yolo(), {"output0": np.zeros((1, 9))}, "style yolo takes"),
        (Yolo(objectness=True, transposed=False), {"output0": np.zeros((1, 90, 5))}, "5 \\+ classes"),
        (Yolo(decoded=False, size=(32, 32)), {"output0": np.zeros((1, 90, 7))}, "21 cells"),
        (Detr(size=(8, 8)), {"logits": np.zeros((1, 3, 2)), "pred_boxes": np.zeros((1, 4, 4))}, "same queries"),
        (Torchvision(), {**TWO, "boxes": TWO["boxes"][:1]}, "1 image"),
        (Torchvision(), {**TWO, "labels": TWO["labels"][:, :2]}, r"labels \[2\]"),
    ],
)
def test_outputs_of_another_shape_are_named(head, outputs, told):
    with pytest.raises(JobError, match=told) as caught:
        head.candidates(outputs, len(next(iter(outputs.values()))) if "labels" not in outputs else 2, ALL)
    assert caught.value.kind == "wrong shape"


def test_outputs_that_are_not_finite_are_an_error():
    for head, outputs in (
        (Grid(size=(32, 32)), {"boxes": np.zeros((1, 21, 4)), "scores": np.full((1, 21, 2), np.nan)}),
        (Yolo(), {"output0": np.full((1, 90, 6), np.inf)}),
        (Detr(size=(8, 8)), {"logits": np.full((1, 3, 2), np.nan), "pred_boxes": np.zeros((1, 3, 4))}),
        (Torchvision(), {**TWO, "scores": np.full((2, 3), np.nan)}),
    ):
        with pytest.raises(JobError) as caught:
            head.candidates(outputs, 2 if "labels" in outputs else 1, ALL)
        assert caught.value.kind == "not finite"


def test_settings_that_cannot_be_are_named():
    for make in (
        lambda: Grid(size=(30, 32)), lambda: Grid(size=(32, 32), strides=()), lambda: Yolo(boxes="xywh"),
        lambda: Yolo(normalized=True), lambda: Detr(), lambda: Detr(size=(8, 8), activation="relu"),
        lambda: Torchvision(normalized=True),
    ):  # fmt: skip
        with pytest.raises(UsageError):
            make()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=30), st.integers(0, 5), st.integers(1, 10))
def test_the_best_are_chosen_in_a_fixed_order(values, least, most):
    array = np.array(values, np.float32)
    wanted = sorted((i for i, v in enumerate(values) if v >= least), key=lambda i: (-values[i], i))[:most]
    assert best_of(array, least, most).tolist() == wanted
