import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speedwell.training.losses.boxes import giou, iou

# whole numbers keep the naive reference exact; sides of 0 are boxes without area
CORNER = st.integers(-20, 300)
BOX = st.tuples(CORNER, CORNER, st.integers(0, 200), st.integers(0, 200)).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)


def naive(a, b):
    """(IoU, GIoU) by counting, one pair at a time."""
    wide = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    high = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    shared = wide * high
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    hull = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    overlap = shared / union if union else 0.0
    return overlap, overlap - (hull - union) / hull if hull else overlap


@settings(deadline=None)
@given(st.lists(st.tuples(BOX, BOX), min_size=1, max_size=20))
def test_iou_and_giou_are_those_of_the_definition(pairs):
    first, second = (torch.tensor([p[i] for p in pairs], dtype=torch.float32) for i in (0, 1))
    expected = [naive(*pair) for pair in pairs]
    torch.testing.assert_close(iou(first, second), torch.tensor([e[0] for e in expected]), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(giou(first, second), torch.tensor([e[1] for e in expected]), rtol=1e-5, atol=1e-5)


@settings(deadline=None)
@given(BOX, BOX)
def test_both_are_symmetric_and_in_their_range(a, b):
    first, second = torch.tensor(a).float(), torch.tensor(b).float()
    assert iou(first, second) == iou(second, first)
    assert giou(first, second) == giou(second, first)
    assert 0 <= iou(first, second) <= 1
    assert -1 - 1e-5 <= giou(first, second) <= iou(first, second) + 1e-6


@settings(deadline=None)
@given(BOX, BOX)
def test_gradients_are_finite_for_every_pair(a, b):
    first = torch.tensor(a).float().requires_grad_()
    second = torch.tensor(b).float().requires_grad_()
    (giou(first, second) + iou(first, second)).backward()
    assert torch.isfinite(first.grad).all()
    assert torch.isfinite(second.grad).all()


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((5, 5, 5, 5), (5, 5, 5, 5)),
        ((5, 5, 5, 5), (9, 9, 9, 9)),
        ((0, 0, 10, 0), (0, 0, 10, 10)),
        ((0, 0, 10, 10), (0, 0, 10, 10)),
        ((10, 10, 0, 0), (0, 0, 10, 10)),
        ((0, 0, 1e4, 1e4), (0, 0, 1e-3, 1e-3)),
    ],
)
def test_degenerate_pairs_have_finite_values_and_gradients(a, b):
    first = torch.tensor(a).float().requires_grad_()
    value = giou(first, torch.tensor(b).float())
    value.backward()
    assert math.isfinite(value.item())
    assert torch.isfinite(first.grad).all()


def test_giou_pulls_boxes_together_that_do_not_touch():
    first = torch.tensor([0.0, 0.0, 10.0, 10.0], requires_grad=True)
    giou(first, torch.tensor([20.0, 0.0, 30.0, 10.0])).backward()
    assert first.grad[2] > 0  # to the right, where the other is
    assert iou(first.detach(), torch.tensor([20.0, 0.0, 30.0, 10.0])) == 0


def test_bfloat16_boxes_are_compared_in_float32():
    first = torch.tensor([[0.0, 0.0, 100.0, 100.0]], dtype=torch.bfloat16)
    second = torch.tensor([[0.0, 0.0, 101.0, 101.0]])
    assert iou(first, second).dtype == torch.float32
    assert iou(first, second).item() == pytest.approx(100 * 100 / (101 * 101), abs=1e-5)
