"""Which cells answer for which object: those that already do best at it, in class and place together.

Task alignment learning (Feng et al. 2021, arXiv:2108.07755): cell and object are ranked by score^alpha IoU^beta, the
``top`` cells of each object become positive, and each is to score the quality of its own box.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ...networks.grid import Grid
from .boxes import iou
from .targets import DetectionTargets

__all__ = ["Assignment", "assign"]

FLOOR = 1e-6
"""Beside any quality it is nothing; where no answer overlaps an object yet, it makes its cells equal."""


@dataclass(frozen=True, eq=False)
class Assignment:
    """P positive cells of N images with A cells each.

    ``cells`` int64 [P]: image * A + cell, no two equal. ``objects`` int64 [P]: position in the targets. ``quality``
    float32 [P], 0..1: what the cell is to score; an object's best cell is to score that object's best IoU. ``share``
    float32 [P]: quality over the sum of its object's, so 1 in all for each object that has a cell: what a box counts.
    ``ignored`` bool [N*A]: inside an object to be ignored, and not positive.
    """

    cells: torch.Tensor
    objects: torch.Tensor
    quality: torch.Tensor
    share: torch.Tensor
    ignored: torch.Tensor


@torch.no_grad()
def assign(
    scores: torch.Tensor,
    boxes: torch.Tensor,
    grid: Grid,
    targets: DetectionTargets,
    top: int = 9,
    alpha: float = 1.0,
    beta: float = 4.0,
) -> Assignment:
    """``scores`` [N,A,C] logits, ``boxes`` [N,A,4] in pixels. Objects are matched in the order given: where a cell is
    equally good for two, the earlier has it (``DetectionTargets.ordered`` makes that a property of the objects).

    Candidates are the cells whose centre lies in the box; on the finest level also the cells nearest to the centre of
    a box so small that it may hold none. All work is on those pairs, never on objects x cells of a batch at once
    beyond one comparison of coordinates.
    """
    count = scores.shape[1]
    near = _near(grid, targets.boxes)
    ignored = torch.zeros(targets.count * count, dtype=torch.bool, device=scores.device)
    masked, cell = (near & targets.ignore[:, None]).nonzero(as_tuple=True)
    ignored[targets.image[masked] * count + cell] = True

    objects, cell = (near & ~targets.ignore[:, None]).nonzero(as_tuple=True)
    cells = targets.image[objects] * count + cell
    overlap = iou(boxes.reshape(-1, 4)[cells], targets.boxes[objects])
    score = scores.reshape(-1, scores.shape[2])[cells, targets.classes[objects]].float().sigmoid()
    aligned = score**alpha * overlap**beta

    chosen = _best_of_each(objects, aligned, len(targets.image), top)
    objects, cells, overlap, aligned = objects[chosen], cells[chosen], overlap[chosen], aligned[chosen]
    chosen = _one_object_each(cells, objects, overlap, len(ignored))
    objects, cells, overlap, aligned = objects[chosen], cells[chosen], overlap[chosen], aligned[chosen]

    most = overlap.new_zeros(2, len(targets.image))
    most[0].scatter_reduce_(0, objects, aligned, "amax")
    most[1].scatter_reduce_(0, objects, overlap, "amax")
    quality = aligned / most[0][objects].clamp(min=torch.finfo(torch.float32).tiny) * most[1][objects]
    share = quality + FLOOR
    share = share / torch.zeros_like(most[0]).index_add_(0, objects, share)[objects]
    ignored[cells] = False
    return Assignment(cells, objects, quality, share, ignored)


def _near(grid: Grid, boxes: torch.Tensor) -> torch.Tensor:
    """bool [M,A]: may the cell answer for the object?"""
    finest = grid.strides == grid.strides[0]
    slack = torch.where(finest, grid.strides / 2, torch.zeros_like(grid.strides))
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    inside = [
        (grid.centres[:, axis] - middle[:, axis, None]).abs() <= torch.maximum(half[:, axis, None], slack)
        for axis in (0, 1)
    ]
    return inside[0] & inside[1]


def _best_of_each(objects: torch.Tensor, value: torch.Tensor, count: int, top: int) -> torch.Tensor:
    """int64: positions of the ``top`` greatest values (>= 0) of each object; ``objects`` is sorted."""
    lengths = torch.bincount(objects, minlength=count)
    start = lengths.cumsum(0) - lengths
    place = torch.arange(len(objects), device=objects.device) - start[objects]
    table = value.new_full((count, max(1, int(lengths.max()) if count else 1)), -1.0)
    table[objects, place] = value
    best, where = table.topk(min(top, table.shape[1]), 1)
    return (start[:, None] + where)[best >= 0]


def _one_object_each(cells: torch.Tensor, objects: torch.Tensor, overlap: torch.Tensor, count: int) -> torch.Tensor:
    """bool: for each cell the object that its box overlaps most, the first of equals."""
    most = overlap.new_full((count,), -1.0).scatter_reduce_(0, cells, overlap, "amax")
    ties = overlap == most[cells]
    first = torch.full((count,), len(objects) + count, device=cells.device, dtype=torch.int64)
    first.scatter_reduce_(0, cells[ties], objects[ties], "amin")
    return ties & (objects == first[cells])
