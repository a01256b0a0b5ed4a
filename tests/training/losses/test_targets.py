import numpy as np
import torch

from speedwell.inputs.objects import Objects
from speedwell.training.losses.targets import DetectionTargets


def objects(boxes, classes, ignore=None):
    return Objects.of(np.array(boxes, np.float32).reshape(-1, 4), np.array(classes, np.int64), (64, 64), ignore)


def test_objects_of_a_batch_become_one_list_that_knows_its_images():
    targets = DetectionTargets.of(
        [objects([[1, 2, 3, 4], [5, 6, 7, 8]], [2, 0], [False, True]), objects([], []), objects([[0, 0, 9, 9]], [1])]
    )
    assert targets.count == 3
    assert targets.image.tolist() == [0, 0, 2]
    assert targets.classes.tolist() == [2, 0, 1]
    assert targets.ignore.tolist() == [False, True, False]
    assert targets.boxes.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8], [0, 0, 9, 9]]
    assert (targets.boxes.dtype, targets.classes.dtype) == (torch.float32, torch.int64)


def test_a_batch_without_objects_has_empty_lists_of_the_right_types():
    targets = DetectionTargets.of([objects([], []), objects([], [])])
    assert targets.boxes.shape == (0, 4)
    assert (targets.count, targets.image.dtype, targets.ignore.dtype) == (2, torch.int64, torch.bool)


def test_boxes_without_area_are_left_out():
    targets = DetectionTargets.of([objects([[1, 2, 1, 9], [5, 6, 7, 8], [3, 3, 9, 3]], [0, 1, 2])])
    assert targets.boxes.tolist() == [[5, 6, 7, 8]]
    assert targets.classes.tolist() == [1]


def test_order_depends_on_the_objects_and_not_on_how_they_came():
    rng = np.random.default_rng(0)
    low = rng.integers(0, 4, (40, 2))
    boxes = np.concatenate([low, low + rng.integers(1, 4, (40, 2))], 1)
    ignore, classes = rng.random(40) < 0.3, rng.integers(0, 3, 40)
    one, two = objects(boxes, classes, ignore), objects([[0, 0, 1, 1]], [0])
    mixed = rng.permutation(40)
    first = DetectionTargets.of([one, two]).ordered()
    second = DetectionTargets.of([objects(boxes[mixed], classes[mixed], ignore[mixed]), two]).ordered()
    for name in ("image", "classes", "boxes", "ignore"):
        assert torch.equal(getattr(first, name), getattr(second, name)), name
    keys = [
        (i, c, *b, g)
        for i, c, b, g in zip(
            first.image.tolist(), first.classes.tolist(), first.boxes.tolist(), first.ignore.tolist(), strict=True
        )
    ]
    assert keys == sorted(keys)


def test_taken_and_to_keep_the_number_of_images():
    targets = DetectionTargets.of([objects([[1, 2, 3, 4], [5, 6, 7, 8]], [2, 0]), objects([], [])])
    chosen = targets.taken(targets.classes == 0).to("cpu")
    assert (chosen.classes.tolist(), chosen.boxes.tolist(), chosen.count) == ([0], [[5, 6, 7, 8]], 2)
