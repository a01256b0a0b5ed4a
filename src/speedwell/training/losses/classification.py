"""Losses on class scores: cross-entropy with label smoothing, focal loss, and both for a single binary column."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch.nn import functional

from ...core.errors import LabelMismatchError
from ..recipe import Loss

__all__ = ["ClassLoss", "class_output"]


class ClassLoss:
    """``loss(outputs, targets)``: the mean over the batch. ``outputs``: tensors by name, class scores [N, C] or one
    column [N, 1] (a binary model's logit); ``targets``: int64 [N].
    """

    def __init__(self, choice: Loss, output: str = "") -> None:
        self.choice, self.output = choice, output

    def __call__(self, outputs: Mapping[str, torch.Tensor], targets: torch.Tensor) -> torch.Tensor:
        scores = class_output(outputs, self.output).float()
        if scores.ndim == 1 or scores.shape[1] == 1:
            return self._binary(scores.reshape(-1), targets)
        if self.choice.name == "focal":
            return self._focal(scores, targets)
        return functional.cross_entropy(scores, targets, label_smoothing=self.choice.smoothing)

    def _focal(self, scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """-(1 - p)^gamma log p of the right class; smoothing is applied to log p as in cross-entropy."""
        logs = functional.log_softmax(scores, dim=1)
        right = logs.gather(1, targets[:, None])[:, 0]
        smooth = self.choice.smoothing
        wanted = (1 - smooth) * right + smooth * logs.mean(dim=1)
        return -((1 - right.exp()) ** self.choice.gamma * wanted).mean()

    def _binary(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        wanted = targets.to(logits.dtype)
        soft = wanted * (1 - self.choice.smoothing) + self.choice.smoothing / 2
        each = functional.binary_cross_entropy_with_logits(logits, soft, reduction="none")
        if self.choice.name == "focal":
            right = torch.where(targets > 0, logits, -logits).sigmoid()
            each = (1 - right) ** self.choice.gamma * each
        return each.mean()


def class_output(outputs: Mapping[str, torch.Tensor], name: str = "") -> torch.Tensor:
    """The class scores among a network's outputs: ``name``, else the first floats [N, C], else the first [N]."""
    if name:
        return outputs[name]
    ranked = [o for o in outputs.values() if o.is_floating_point() and o.ndim in (1, 2)]
    if not ranked:
        shown = ", ".join(f"{n} {list(o.shape)}" for n, o in outputs.items())
        raise LabelMismatchError(f"no output holds class scores [N, C]: {shown}", "Name it with the option output.")
    return next((o for o in ranked if o.ndim == 2), ranked[0])
