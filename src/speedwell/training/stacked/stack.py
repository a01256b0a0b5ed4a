"""``Stack``: the parameters and buffers of K networks of one structure, each as one tensor [K, ...]."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ...core.errors import UsageError

__all__ = ["Stack"]


class Stack:
    """``parameters`` and ``buffers``: tensors by name, first axis = candidate, contiguous. The networks given are left
    as they are until ``write``.

    A network may be narrower than others (fewer channels in hidden layers). Its tensors then lie in the first rows
    and columns and the rest is zero, and stays zero: what a unit without weights gives is zero, so its outgoing
    weights have no gradient, and these being zero, neither have its incoming ones (``StackedLearner`` checks it on
    the first batch). ``narrow`` says whether there is one.

    Raises ``UsageError`` for networks that differ in more than width, or hold anything but float32.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        self.networks = tuple(networks)
        first = self.networks[0]
        for number, other in enumerate(self.networks):
            _check_structure(first, other, number)
        self.parameters = {n: nn.Parameter(self._stacked(n, False)) for n, _ in first.named_parameters()}
        self.buffers = {n: self._stacked(n, True) for n, _ in first.named_buffers()}
        for name, value in first.named_parameters():
            self.parameters[name].requires_grad_(value.requires_grad)

    def __len__(self) -> int:
        return len(self.networks)

    @property
    def narrow(self) -> bool:
        every = self.parameters | self.buffers
        return any(v.shape != every[n].shape[1:] for m in self.networks for n, v in _tensors(m).items())

    @property
    def trained(self) -> dict[str, nn.Parameter]:
        """The parameters that are not frozen."""
        return {n: p for n, p in self.parameters.items() if p.requires_grad}

    def is_own(self, name: str, k: int) -> torch.Tensor:
        """bool, of one candidate's shape in the stack: True where its own values lie, False in the rest."""
        whole = (self.parameters | self.buffers)[name]
        own = torch.zeros(whole.shape[1:], dtype=torch.bool)
        own[_corner(_tensors(self.networks[k])[name])] = True
        return own

    @torch.no_grad()
    def write(self, k: int) -> nn.Module:
        """Network ``k`` with the values of its row; the module that was given, changed in place."""
        network = self.networks[k]
        every = self.parameters | self.buffers
        for name, value in _tensors(network).items():
            value.copy_(every[name][k][_corner(value)])
        return network

    @torch.no_grad()
    def _stacked(self, name: str, buffer: bool) -> torch.Tensor:
        own = [(dict(m.named_buffers()) if buffer else dict(m.named_parameters()))[name] for m in self.networks]
        shape = [max(sizes) for sizes in zip(*(v.shape for v in own), strict=True)]
        whole = torch.zeros((len(own), *shape), dtype=own[0].dtype)
        for row, value in zip(whole, own, strict=True):
            row[_corner(value)] = value
        return whole


def _tensors(network: nn.Module) -> dict[str, torch.Tensor]:
    return dict(network.named_parameters()) | dict(network.named_buffers())


def _corner(value: torch.Tensor) -> tuple[slice, ...]:
    return tuple(slice(0, n) for n in value.shape)


def _check_structure(first: nn.Module, other: nn.Module, number: int) -> None:
    kinds = [[(n, type(m)) for n, m in network.named_modules()] for network in (first, other)]
    if kinds[0] != kinds[1]:
        apart = next((b or a for a, b in zip(*kinds, strict=False) if a != b), None)
        what = f"{apart[0] or 'the network'} is a {apart[1].__name__}" if apart else "one has more layers"
        raise UsageError(
            f"candidate {number} is not built like candidate 0: {what}", "Candidates of one batch differ in width only."
        )
    mine, its = _tensors(first), _tensors(other)
    for name, value in its.items():
        if name not in mine or mine[name].ndim != value.ndim or mine[name].dtype != value.dtype:
            raise UsageError(f"candidate {number}: {name} is not as in candidate 0", "Build them by one function.")
        if value.is_floating_point() and value.dtype != torch.float32:
            raise UsageError(f"candidate {number}: {name} is {value.dtype}", "Candidates are trained in float32.")
    if mine.keys() != its.keys():
        raise UsageError(f"candidate {number} lacks {sorted(mine.keys() - its.keys())[0]}", "Build them alike.")
