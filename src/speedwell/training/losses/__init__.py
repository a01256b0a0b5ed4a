"""What is minimised: by task, by the recipe's words, and by learning from a teacher."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...core.errors import UsageError
from ..recipe import Loss
from .classification import ClassLoss
from .detection import DetectionLoss
from .targets import DetectionTargets

__all__ = ["ClassLoss", "DetectionLoss", "DetectionTargets", "make_loss"]


def make_loss(task: str, choice: Loss, hints: Mapping[str, Any], output: str = "") -> ClassLoss | DetectionLoss:
    """The loss for ``task``. ``hints``: what the network says of itself; a detector says its grid.

    Raises ``UsageError`` for a task or network that has no loss here.
    """
    if task == "object-detection":
        grid = dict(hints.get("detection") or {})
        if grid.get("style") != "grid":
            raise UsageError(
                f"a detector of the style {grid.get('style')!r} cannot be trained here",
                'Training knows the style "grid" (see docs/detection.md); others can be accelerated.',
            )
        if choice.name != "auto" or choice.distil is not None:
            raise UsageError(f"loss.name is {choice.name!r} for a detector", 'Use "auto", and no distil.')
        height, width = grid["size"]
        return DetectionLoss((int(height), int(width)), tuple(int(s) for s in grid["strides"]))
    if task in ("image-classification", "text-classification"):
        return ClassLoss(choice, output)
    raise UsageError(
        f"there is no loss for the task {task!r}",
        "Train image-classification, object-detection or text-classification.",
    )
