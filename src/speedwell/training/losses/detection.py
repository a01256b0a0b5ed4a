"""What a grid detector is trained with: scores that tell the quality of their boxes, and GIoU of the boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from ...networks.grid import Grid
from .assignment import assign
from .boxes import giou
from .targets import DetectionTargets

__all__ = ["DetectionLoss"]


@dataclass(frozen=True)
class DetectionLoss:
    """``loss(outputs, targets)`` is a float32 scalar: quality focal loss of the scores plus ``box_weight`` times GIoU
    loss of the boxes.

    ``size`` (height, width), ``strides``: of the network's input and grid. Scores: binary cross-entropy with the
    quality that ``assign`` gives (0 for other cells and classes), times |sigmoid - quality|^``focus`` (Li et al. 2020,
    arXiv:2006.04388), over the sum of qualities. Without the focus a rare class of small objects stayed at its base
    rate for 500 steps on blood cells: its few cells were as strong as all the background's, and no stronger. Boxes:
    1 - GIoU, each object counting 1, shared out over its cells by quality.
    ``top``, ``alpha``, ``beta``: as in ``assign``, which runs without gradient.

    An image without objects is background; an object to ignore takes its cells out of the scores' loss. The order of
    objects changes no bit, that of images only how a sum is rounded.
    """

    size: tuple[int, int]
    strides: Sequence[int] = (8, 16, 32)
    box_weight: float = 2.0
    focus: float = 1.5
    top: int = 9
    alpha: float = 1.0
    beta: float = 4.0

    def __call__(self, outputs: Mapping[str, torch.Tensor], targets: DetectionTargets) -> torch.Tensor:
        parts = self.parts(outputs, targets)
        return parts["classes"] + self.box_weight * parts["boxes"]

    def parts(self, outputs: Mapping[str, torch.Tensor], targets: DetectionTargets) -> dict[str, torch.Tensor]:
        """{"classes", "boxes"}: float32 scalars >= 0, before weighting.

        ``outputs``: {"boxes": [N,A,4] distances, "scores": [N,A,C] logits}, float32 or bfloat16 (computed in float32).
        """
        scores = outputs["scores"].float()
        grid = Grid.of(self.size, self.strides, scores.device)
        boxes = grid.boxes(outputs["boxes"])
        targets = targets.ordered()
        found = assign(scores, boxes, grid, targets, self.top, self.alpha, self.beta)

        flat = scores.reshape(-1, scores.shape[2])
        wanted = torch.zeros_like(flat)
        wanted[found.cells, targets.classes[found.objects]] = found.quality
        # the weight is a measure of how wrong a cell is, not something to be made small by itself
        weight = (flat.detach().sigmoid() - wanted).abs() ** self.focus * (~found.ignored)[:, None]
        wrong = functional.binary_cross_entropy_with_logits(flat, wanted, reduction="none")
        overlap = giou(boxes.reshape(-1, 4)[found.cells], targets.boxes[found.objects])
        return {
            "classes": (wrong * weight).sum() / found.quality.sum().clamp(min=1.0),
            "boxes": ((1 - overlap) * found.share).sum() / found.share.sum().clamp(min=1.0),
        }
