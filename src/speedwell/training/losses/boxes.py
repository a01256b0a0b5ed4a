"""Overlap of boxes, pair by pair: IoU, and GIoU, which still has a slope where boxes do not touch."""

from __future__ import annotations

import torch

__all__ = ["giou", "iou"]

TINY = 1e-7
"""Square pixels. Keeps the quotients of boxes without area defined; no box that can be seen is as small."""


def iou(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Intersection over union in 0..1, [..., 4] and [..., 4] (x1, y1, x2, y2) to float32 [...], axes broadcast.

    0 where both boxes have no area. Boxes with x2 < x1 or y2 < y1 count as without area.
    """
    return _parts(first, second)[0]


def giou(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """IoU less the share of the hull that neither box covers; above -1, at most 1, shapes as for ``iou``.

    Gradients are finite for every pair of finite boxes. Source: Rezatofighi et al. 2019, arXiv:1902.09630.
    """
    overlap, union, low, high = _parts(first, second)
    sides = high - low
    hull = (sides[..., 0] * sides[..., 1]).clamp(min=TINY)
    return overlap - (hull - union) / hull


def _parts(first: torch.Tensor, second: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """IoU, union (at least ``TINY``), and the hull's two corners."""
    a, b = first.float(), second.float()  # 8 bits of bfloat16 are too few for an area
    sides = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0)
    shared = sides[..., 0] * sides[..., 1]
    union = (_area(a) + _area(b) - shared).clamp(min=TINY)
    low, high = torch.minimum(a[..., :2], b[..., :2]), torch.maximum(a[..., 2:], b[..., 2:])
    return shared / union, union, low, high


def _area(boxes: torch.Tensor) -> torch.Tensor:
    sides = (boxes[..., 2:] - boxes[..., :2]).clamp(min=0)
    return sides[..., 0] * sides[..., 1]
