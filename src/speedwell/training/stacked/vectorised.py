"""Any network, vectorised over candidates by ``torch.func.vmap``: convolutions become grouped ones."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.func import functional_call, vmap

from ...core.errors import UsageError
from ...core.signature import Signature
from ...sources import call_module
from ..losses.classification import class_output
from .stack import Stack

__all__ = ["Vectorised"]


class Vectorised:
    """``vectorised(inputs, stacked, training)``: class scores [K, N, C] of all candidates.

    Random numbers of the network (dropout) are drawn for each candidate apart, from torch's own generator: they have
    the distribution that the network alone would see, not the same values. Batch statistics are each candidate's own.
    """

    def __init__(self, stack: Stack, signature: Signature, output: str) -> None:
        self._stack = stack
        self._called = _Called(_widest(stack), signature, output)

    def __call__(self, inputs: Mapping[str, torch.Tensor], stacked: bool, training: bool) -> torch.Tensor:
        self._called.train(training)
        named: dict[str, torch.Tensor] = {f"network.{n}": v for n, v in self._stack.parameters.items()}
        kept = {f"network.{n}": v for n, v in self._stack.buffers.items()}

        def one(
            parameters: dict[str, torch.Tensor], buffers: dict[str, torch.Tensor], values: dict[str, torch.Tensor]
        ) -> torch.Tensor:
            scores: torch.Tensor = functional_call(self._called, (parameters, buffers), (values,))
            return scores

        axes = (0, 0, 0 if stacked else None)
        scores: torch.Tensor = vmap(one, in_dims=axes, randomness="different")(named, kept, dict(inputs))
        return scores


class _Called(nn.Module):
    """A network that takes inputs by name and gives its class scores."""

    def __init__(self, network: nn.Module, signature: Signature, output: str) -> None:
        super().__init__()
        self.network, self._signature, self._output = network, signature, output

    def forward(self, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return class_output(call_module(self.network, inputs, self._signature), self._output)


def _widest(stack: Stack) -> nn.Module:
    """A network as wide as the stack everywhere: its code runs for all."""
    every = stack.parameters | stack.buffers
    for network in stack.networks:
        tensors = dict(network.named_parameters()) | dict(network.named_buffers())
        if all(v.shape == every[n].shape[1:] for n, v in tensors.items()):
            break
    else:
        raise UsageError(
            "no candidate is the widest in every layer",
            "Give one that is, or networks of plain layers in a Sequential.",
        )
    settings = [[m.extra_repr() for m in n.modules() if not list(m.parameters(False))] for n in stack.networks]
    if any(s != settings[0] for s in settings):
        raise UsageError("candidates differ in a layer's settings (dropout, pooling)", "Train them in turn.")
    return network
