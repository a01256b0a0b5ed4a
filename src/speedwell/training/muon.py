"""``Muon``: momentum whose matrix is made orthogonal before it is applied; AdamW for all that is no matrix.

Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"; the scale that lets it share
learning rates with AdamW: Liu et al. 2025, arXiv:2502.16982, equation 4.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

__all__ = ["Muon", "orthogonalized"]

STEPS = 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic iteration, chosen by Jordan for the steepest slope at zero: singular values end in 0.7..1.2."""
LIKE_ADAM = 0.2
"""The update's root mean square, as AdamW's usually is."""


def orthogonalized(matrix: torch.Tensor, steps: int = STEPS) -> torch.Tensor:
    """The nearest orthogonal matrix, roughly (singular values 0.7..1.2), by Newton-Schulz iterations. ``matrix``
    [rows, columns] or a stack of such; zero stays zero.
    """
    a, b, c = COEFFICIENTS
    x = matrix / matrix.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    made: torch.Tensor = x.mT if tall else x
    return made


class Muon(torch.optim.Optimizer):
    """Groups with ``hidden`` True hold matrices or convolutions (taken as [out, rest]); the others go by AdamW.

    State of a hidden parameter: ``momentum``; of others: ``first``, ``second`` and ``step``.
    """

    def __init__(self, groups: list[dict[str, Any]], lr: float, momentum: float, betas: tuple[float, float]) -> None:
        super().__init__(groups, {"lr": lr, "momentum": momentum, "betas": betas, "eps": 1e-8, "hidden": False})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """One update from the gradients there are."""
        del closure
        for group in self.param_groups:
            update = self._matrix if group["hidden"] else self._adam
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.mul_(1 - group["lr"] * group.get("weight_decay", 0.0))
                    update(parameter, group)

    def _matrix(self, parameter: torch.Tensor, group: dict[str, Any]) -> None:
        state, gradient = self.state[parameter], parameter.grad
        assert gradient is not None, "step calls only with a gradient"
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        state["momentum"].lerp_(gradient, 1 - group["momentum"])
        ahead = gradient.lerp(state["momentum"], group["momentum"])
        flat = ahead.reshape(len(ahead), -1)
        scale = LIKE_ADAM * math.sqrt(max(flat.shape))
        parameter.add_(orthogonalized(flat).reshape(parameter.shape), alpha=-group["lr"] * scale)

    def _adam(self, parameter: torch.Tensor, group: dict[str, Any]) -> None:
        state, gradient = self.state[parameter], parameter.grad
        assert gradient is not None, "step calls only with a gradient"
        if not state:
            state["step"] = torch.zeros(())
            state["first"], state["second"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        state["step"] += 1
        low, high = group["betas"]
        state["first"].lerp_(gradient, 1 - low)
        state["second"].mul_(high).addcmul_(gradient, gradient, value=1 - high)
        step = float(state["step"])
        root = (state["second"] / (1 - high**step)).sqrt_().add_(group["eps"])
        parameter.addcdiv_(state["first"], root, value=-group["lr"] / (1 - low**step))

    @staticmethod
    def operations(shape: torch.Size) -> int:
        """Of one update of a hidden parameter: the products of the iterations."""
        rows = shape[0]
        columns = math.prod(shape[1:])
        small, large = min(rows, columns), max(rows, columns)
        return STEPS * (2 * small * small * large * 2 + 2 * small**3)
