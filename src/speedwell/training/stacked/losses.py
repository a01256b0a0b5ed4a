"""The class losses of K candidates at once, each with its own smoothing, focus and share and heat of distillation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from ...core.errors import UsageError
from ..losses.classification import ClassLoss
from ..losses.distillation import distil
from ..recipe import Loss

__all__ = ["StackedLoss"]


class StackedLoss:
    """What ``ClassLoss`` and ``distil`` are to one candidate.

    Cross-entropy and soft distillation over two or more classes have their gradient written down, in one pass with the
    value; focal losses, hard distillation and single binary columns go candidate by candidate through the losses of a
    network alone.
    """

    def __init__(self, choices: Sequence[Loss]) -> None:
        self.choices = tuple(choices)
        shares = [0.0 if c.distil is None else c.distil.weight for c in choices]
        self._each = [ClassLoss(c, "scores") for c in choices]
        self._plain = all(c.name != "focal" and not (c.distil is not None and c.distil.hard) for c in choices)
        self._shape = (len(choices), 1, 1)
        self._smoothing = torch.tensor([c.smoothing for c in choices]).view(self._shape)
        self._share = torch.tensor(shares).view(self._shape)
        self._heat = torch.tensor([1.0 if c.distil is None else c.distil.temperature for c in choices]).view(
            self._shape
        )
        self._smooth, self._taught = any(c.smoothing for c in choices), any(shares)

    @property
    def taught(self) -> bool:
        """True where a candidate learns from a teacher."""
        return self._taught

    @torch.no_grad()
    def __call__(
        self, scores: torch.Tensor, targets: torch.Tensor, teacher: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(losses [K], their gradients by ``scores`` [K, N, C]). ``targets`` [N] or [K, N]; ``teacher``: its scores,
        [N, C] or [K, N, C].
        """
        if teacher is not None and teacher.shape[-2:] != scores.shape[-2:]:
            raise UsageError(
                f"the candidates give {list(scores.shape[1:])}, the teacher {list(teacher.shape[-2:])}",
                "Both need the same classes.",
            )
        targets = targets.expand(len(self.choices), -1)
        if not self._plain or scores.ndim == 2 or scores.shape[2] == 1:
            return self._one_by_one(scores, targets, teacher)
        n, classes = scores.shape[1:]
        logs = functional.log_softmax(scores, dim=2)
        right = targets[..., None]
        losses = -logs.gather(2, right).mean(dim=(1, 2))
        gradient = logs.exp()
        if self._smooth:
            s = self._smoothing
            losses = (1 - s[:, 0, 0]) * losses - s[:, 0, 0] * logs.mean(dim=(1, 2))
            gradient -= s / classes
            gradient.scatter_add_(2, right, (s - 1).expand(-1, n, 1))
        else:
            gradient.scatter_add_(2, right, gradient.new_full((1, 1, 1), -1.0).expand(len(targets), n, 1))
        if teacher is not None and self._taught:
            losses, gradient = self._mixed(losses, gradient, scores, teacher)
        return losses, gradient.div_(n)

    def _mixed(
        self, losses: torch.Tensor, gradient: torch.Tensor, scores: torch.Tensor, teacher: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Labels and the teacher's distribution: T^2 KL(teacher / T || scores / T), whose gradient is T times the
        difference of the distributions.
        """
        wanted = functional.log_softmax(teacher / self._heat, dim=2)
        given = functional.log_softmax(scores / self._heat, dim=2)
        likely = wanted.exp()
        apart = (likely * (wanted - given)).sum(dim=(1, 2)) / scores.shape[1]
        share, heat = self._share, self._heat
        losses = (1 - share[:, 0, 0]) * losses + share[:, 0, 0] * heat[:, 0, 0] ** 2 * apart
        return losses, gradient.mul_(1 - share).add_((share * heat) * (given.exp() - likely))

    def _one_by_one(
        self, scores: torch.Tensor, targets: torch.Tensor, teacher: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        losses, gradients = [], []
        for k, (choice, own) in enumerate(zip(self.choices, self._each, strict=True)):
            with torch.enable_grad():
                leaf = scores[k].detach().requires_grad_()
                loss = own({"scores": leaf}, targets[k])
                if choice.distil is not None and teacher is not None:
                    its = teacher if teacher.ndim == leaf.ndim else teacher[k]
                    loss = distil(choice.distil, loss, {"scores": leaf}, {"scores": its})
                (gradient,) = torch.autograd.grad(loss, leaf)
            losses.append(loss.detach())
            gradients.append(gradient)
        return torch.stack(losses), torch.stack(gradients)
