"""A linear layer of K candidates: one batched matrix product each for output, input gradient and weight gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

__all__ = ["StackedLinear"]


class StackedLinear:
    """``weight`` [K, out, in], ``bias`` [K, out] or None. Takes [N, ..., in], shared by all, or [K, N, ..., in]; gives
    [K, N, ..., out].

    A shared input is not copied: the product sees it K times with a stride of 0.
    """

    def __init__(self, weight: nn.Parameter, bias: nn.Parameter | None) -> None:
        self.weight, self.bias = weight, bias

    def __call__(self, x: torch.Tensor, stacked: bool) -> torch.Tensor:
        k, out, inside = self.weight.shape
        leading = x.shape[1:-1] if stacked else x.shape[:-1]
        rows = x.reshape(k, -1, inside) if stacked else x.reshape(1, -1, inside).expand(k, -1, -1)
        y: torch.Tensor = _Product.apply(rows, self.weight, self.bias)  # type: ignore[no-untyped-call]
        return y.view(k, *leading, out)


class _Product(torch.autograd.Function):
    """``x`` [K, N, in] times ``weight`` transposed, plus ``bias``."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        across = weight.transpose(1, 2)
        return torch.bmm(x, across) if bias is None else torch.baddbmm(bias[:, None], x, across)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (g,) = gradients
        x, weight = ctx.saved_tensors
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        return (
            torch.bmm(g, weight) if needs_x else None,
            # in the weight's own layout, so that autograd keeps it without a copy
            torch.bmm(g.transpose(1, 2), x) if needs_weight else None,
            g.sum(dim=1) if needs_bias else None,
        )
