import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speedwell.networks.grid import Grid
from speedwell.training.losses.assignment import assign
from speedwell.training.losses.boxes import iou
from speedwell.training.losses.targets import DetectionTargets

SIZE, STRIDES, CLASSES = (64, 96), (8, 16, 32), 3
GRID = Grid.of(SIZE, STRIDES)
CELLS = len(GRID.strides)


def batch(seed, images, objects, ignored=0.2, smallest=1.0):
    """Random answers of a network and random objects: (logits, boxes in pixels, targets)."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(images, CELLS, CLASSES, generator=generator)
    boxes = GRID.boxes(torch.rand(images, CELLS, 4, generator=generator) * 3 + 0.1)
    low = torch.rand(objects, 2, generator=generator) * torch.tensor([80.0, 50.0])
    side = torch.rand(objects, 2, generator=generator) * 45 + smallest
    targets = DetectionTargets(
        torch.randint(images, (objects,), generator=generator),
        torch.randint(CLASSES, (objects,), generator=generator),
        torch.cat([low, low + side], 1),
        torch.rand(objects, generator=generator) < ignored,
        images,
    )
    return scores, boxes, targets.ordered()


def candidate(cell, box):
    (x, y), stride = GRID.centres[cell].tolist(), GRID.strides[cell].item()
    slack = stride / 2 if stride == STRIDES[0] else 0.0
    return all(
        abs(point - (low + high) / 2) <= max((high - low) / 2, slack)
        for point, low, high in ((x, box[0], box[2]), (y, box[1], box[3]))
    )


def naive(scores, boxes, targets, top, alpha, beta):
    """{image * A + cell: (object, quality)} and the ignored cells, one object and one cell at a time."""
    claims, ignored = {}, set()
    for k in range(len(targets.image)):
        image, box = int(targets.image[k]), targets.boxes[k].tolist()
        near = [c for c in range(CELLS) if candidate(c, box)]
        if targets.ignore[k]:
            ignored |= {image * CELLS + c for c in near}
            continue
        ranked = []
        for c in near:
            overlap = iou(boxes[image, c], targets.boxes[k]).item()
            probability = 1 / (1 + math.exp(-scores[image, c, targets.classes[k]].item()))
            ranked.append((probability**alpha * overlap**beta, overlap, c))
        for value, overlap, c in sorted(ranked, reverse=True)[:top]:
            claims.setdefault(image * CELLS + c, []).append((overlap, -k, value))
    won = {cell: max(claim) for cell, claim in claims.items()}
    result = {}
    for cell, (_, k, value) in won.items():
        mine = [(v, o) for o, other, v in won.values() if other == k]
        result[cell] = (-k, value / max(v for v, _ in mine) * max(o for _, o in mine))
    return result, ignored - set(result)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(0, 12), st.sampled_from([1, 4, 13]))
def test_assignment_is_that_of_the_definition(seed, images, objects, top):
    scores, boxes, targets = batch(seed, images, objects, smallest=8.0)  # below, cells tie at no overlap at all
    found = assign(scores, boxes, GRID, targets, top, 0.7, 3.0)
    expected, ignored = naive(scores, boxes, targets, top, 0.7, 3.0)
    given_ = dict(zip(found.cells.tolist(), found.objects.tolist(), strict=True))
    assert given_ == {cell: k for cell, (k, _) in expected.items()}
    assert found.quality.tolist() == pytest.approx([expected[c][1] for c in found.cells.tolist()], abs=1e-4)
    assert set(found.ignored.nonzero()[:, 0].tolist()) == ignored


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12))
def test_each_cell_answers_once_in_its_own_image_and_each_object_counts_once(seed, objects):
    scores, boxes, targets = batch(seed, 3, objects)
    found = assign(scores, boxes, GRID, targets)
    assert len(set(found.cells.tolist())) == len(found.cells)
    assert torch.equal(found.cells // CELLS, targets.image[found.objects])
    assert not targets.ignore[found.objects].any()
    assert ((found.quality >= 0) & (found.quality <= 1)).all()
    total = torch.zeros(objects).index_add_(0, found.objects, found.share)
    assert total[found.objects.unique()].tolist() == pytest.approx([1.0] * len(found.objects.unique()), abs=1e-5)


@pytest.mark.parametrize("side", [0.0, 0.5, 3.0, 7.9])
def test_an_object_too_small_to_hold_a_centre_still_gets_a_cell(side):
    scores, boxes, _ = batch(0, 1, 1)
    for x in (16.0, 17.3, 20.0, 23.9):
        box = torch.tensor([[x - side / 2, 30 - side / 2, x + side / 2, 30 + side / 2]])
        one = torch.zeros(1, dtype=torch.int64)
        targets = DetectionTargets(one, one, box, one.bool(), 1)
        assert len(assign(scores, boxes, GRID, targets).cells) > 0


def test_equal_objects_of_two_classes_are_told_apart_by_their_order_alone():
    scores, boxes, _ = batch(3, 1, 1)
    scores[:] = 0.0
    box = torch.tensor([[10.0, 10.0, 60.0, 50.0]] * 2)
    zero = torch.zeros(2, dtype=torch.int64)
    for classes in ([0, 2], [2, 0]):
        targets = DetectionTargets(zero, torch.tensor(classes), box, zero.bool(), 1).ordered()
        found = assign(scores, boxes, GRID, targets)
        assert set(targets.classes[found.objects].tolist()) == {0}


def test_answers_without_area_have_no_quality_but_an_equal_share():
    scores, boxes, targets = batch(1, 1, 1, ignored=0)
    boxes = GRID.boxes(torch.zeros_like(boxes))
    found = assign(scores, boxes, GRID, targets)
    assert len(found.cells) > 1
    assert (found.quality == 0).all()
    assert found.share.tolist() == pytest.approx([1 / len(found.cells)] * len(found.cells))
