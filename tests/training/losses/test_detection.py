import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speedwell.networks.detector import detector
from speedwell.networks.grid import Grid
from speedwell.training.losses.assignment import assign
from speedwell.training.losses.boxes import giou
from speedwell.training.losses.detection import DetectionLoss
from speedwell.training.losses.targets import DetectionTargets

SIZE, STRIDES, CLASSES = (64, 96), (8, 16, 32), 3
GRID = Grid.of(SIZE, STRIDES)
LOSS = DetectionLoss(SIZE, STRIDES)


def answers(seed, images):
    generator = torch.Generator().manual_seed(seed)
    cells = len(GRID.strides)
    return {
        "boxes": (torch.rand(images, cells, 4, generator=generator) * 3).requires_grad_(),
        "scores": (torch.randn(images, cells, CLASSES, generator=generator) - 2).requires_grad_(),
    }


def objects(seed, images, count, ignored=0.2):
    generator = torch.Generator().manual_seed(seed)
    low = torch.rand(count, 2, generator=generator) * torch.tensor([80.0, 50.0])
    return DetectionTargets(
        torch.randint(images, (count,), generator=generator),
        torch.randint(CLASSES, (count,), generator=generator),
        torch.cat([low, low + torch.rand(count, 2, generator=generator) * 40 + 1], 1),
        torch.rand(count, generator=generator) < ignored,
        images,
    )


def reversed_images(targets):
    return DetectionTargets(
        targets.count - 1 - targets.image, targets.classes, targets.boxes, targets.ignore, targets.count
    )


def gradients(outputs, loss):
    return torch.autograd.grad(loss, [outputs["boxes"], outputs["scores"]])


def test_the_parts_are_those_of_the_definition():
    outputs, targets = answers(0, 2), objects(0, 2, 9).ordered()
    boxes = GRID.boxes(outputs["boxes"]).detach().reshape(-1, 4)
    found = assign(outputs["scores"], GRID.boxes(outputs["boxes"]), GRID, targets)
    wanted = torch.zeros(len(boxes), CLASSES)
    for cell, k, quality in zip(found.cells, found.objects, found.quality, strict=True):
        wanted[cell, targets.classes[k]] = quality
    classes = 0.0
    for row, (logits, goals) in enumerate(zip(outputs["scores"].reshape(-1, CLASSES).tolist(), wanted, strict=True)):
        for logit, goal in zip(logits, goals.tolist(), strict=True):
            p = 1 / (1 + math.exp(-logit))
            entropy = -goal * math.log(p) - (1 - goal) * math.log(1 - p)
            classes += 0.0 if found.ignored[row] else abs(p - goal) ** 1.5 * entropy
    each = [
        share * (1 - giou(boxes[cell], targets.boxes[k])).item()
        for cell, k, share in zip(found.cells, found.objects, found.share.tolist(), strict=True)
    ]
    parts = LOSS.parts(outputs, targets)
    assert parts["classes"].item() == pytest.approx(classes / max(1.0, found.quality.sum().item()), rel=1e-4)
    assert parts["boxes"].item() == pytest.approx(sum(each) / found.share.sum().item(), rel=1e-4)
    assert LOSS(outputs, targets).item() == pytest.approx(parts["classes"].item() + 2 * parts["boxes"].item())


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(0, 20))
def test_the_order_of_objects_changes_nothing(seed, images, count):
    outputs, targets = answers(seed, images), objects(seed, images, count)
    mixed = targets.taken(torch.randperm(count, generator=torch.Generator().manual_seed(seed)))
    one, two = LOSS(outputs, targets), LOSS(outputs, mixed)
    assert torch.equal(one, two)
    for a, b in zip(gradients(outputs, one), gradients(outputs, two), strict=True):
        assert torch.equal(a, b)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(0, 20))
def test_the_order_of_images_changes_nothing(seed, images, count):
    outputs, targets = answers(seed, images), objects(seed, images, count)
    turned = {name: value.flip(0) for name, value in outputs.items()}
    assert LOSS(turned, reversed_images(targets)).item() == pytest.approx(LOSS(outputs, targets).item(), rel=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_an_object_to_ignore_takes_its_cells_out_and_gives_no_positive(seed):
    outputs = answers(seed, 1)
    box = torch.tensor([[16.0, 8.0, 72.0, 56.0]])
    one = torch.zeros(1, dtype=torch.int64)
    targets = DetectionTargets(one, one, box, torch.ones(1, dtype=torch.bool), 1)
    boxes, scores = torch.autograd.grad(LOSS(outputs, targets), list(outputs.values()), materialize_grads=True)
    inside = ((box[0, :2] <= GRID.centres) & (box[0, 2:] >= GRID.centres)).all(1)
    assert (boxes == 0).all()
    assert (scores[0, inside] == 0).all()
    assert (scores[0, ~inside] > 0).all()  # background: every score is to fall


def test_an_object_in_front_of_one_to_ignore_is_still_learned():
    outputs = answers(0, 1)
    zero = torch.zeros(2, dtype=torch.int64)
    boxes = torch.tensor([[0.0, 0.0, 96.0, 64.0], [24.0, 24.0, 56.0, 56.0]])
    targets = DetectionTargets(zero, zero, boxes, torch.tensor([True, False]), 1)
    moved, scores = gradients(outputs, LOSS(outputs, targets))
    assert (moved != 0).any()
    assert (scores[0, :, 0] < 0).any()
    assert ((scores[0] != 0).sum(0) == (scores[0] != 0).any(1).sum()).all()  # its cells count for all classes


def test_images_without_objects_are_background():
    outputs, targets = answers(0, 3), objects(0, 3, 0)
    parts = LOSS.parts(outputs, targets)
    assert parts["boxes"].item() == 0
    boxes, scores = gradients(outputs, LOSS(outputs, targets))
    assert (boxes == 0).all()
    assert (scores > 0).all()


@pytest.mark.parametrize(
    "box",
    [[10.0, 10.0, 10.0, 10.0], [0.0, 0.0, 96.0, 64.0], [30.0, 0.0, 30.0, 64.0], [95.9, 63.9, 96.0, 64.0]],
    ids=["a point", "the whole picture", "a line", "a corner"],
)
@pytest.mark.parametrize("distance", [0.0, 1.5, 200.0])
def test_gradients_are_finite_for_degenerate_boxes(box, distance):
    outputs = answers(0, 1)
    outputs["boxes"] = torch.full_like(outputs["boxes"], distance, requires_grad=True)
    one = torch.zeros(1, dtype=torch.int64)
    loss = LOSS(outputs, DetectionTargets(one, one, torch.tensor([box]), one.bool(), 1))
    assert torch.isfinite(loss)
    assert all(torch.isfinite(g).all() for g in gradients(outputs, loss))


def test_bfloat16_answers_give_the_loss_of_their_values():
    half = {name: value.detach().bfloat16().requires_grad_() for name, value in answers(0, 2).items()}
    targets = objects(0, 2, 8)
    loss = LOSS(half, targets)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(LOSS({n: v.detach().float() for n, v in half.items()}, targets).item())
    assert all(g.dtype == torch.bfloat16 and torch.isfinite(g).all() for g in gradients(half, loss))


def test_a_network_learns_where_squares_lie():
    """Bright squares on dark: after some steps the best answer of an unseen picture is its square."""
    torch.manual_seed(0)
    network = detector(2, 64, 0.25, (8, 16))
    loss, grid = DetectionLoss((64, 64), (8, 16)), Grid.of((64, 64), (8, 16))
    generator = torch.Generator().manual_seed(0)

    def batch(count):
        low = torch.randint(4, 30, (count, 2), generator=generator)
        side = torch.randint(14, 30, (count, 1), generator=generator)
        kind = torch.randint(2, (count,), generator=generator)
        images = torch.randn(count, 3, 64, 64, generator=generator) * 0.1 - 1
        for image, (x, y), (s,), k in zip(images, low.tolist(), side.tolist(), kind.tolist(), strict=True):
            image[k, y : y + s, x : x + s] = 1.5
        boxes = torch.cat([low, low + side], 1).float()
        return images, DetectionTargets(torch.arange(count), kind, boxes, torch.zeros(count, dtype=torch.bool), count)

    optimizer = torch.optim.AdamW(network.parameters(), 4e-3)
    for _ in range(60):
        images, targets = batch(16)
        optimizer.zero_grad()
        loss(network(images), targets).backward()
        optimizer.step()
    images, targets = batch(32)
    with torch.no_grad():
        outputs = network.eval()(images)
    best, kind = outputs["scores"].max(2)
    cell = best.argmax(1)
    rows = torch.arange(32)
    found = grid.boxes(outputs["boxes"])[rows, cell]
    assert (kind[rows, cell] == targets.classes).float().mean() > 0.95
    assert giou(found, targets.boxes).median() > 0.6
