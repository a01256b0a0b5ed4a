"""Plain chains of layers, vectorised over candidates by hand: what multi-layer perceptrons and heads are made of."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import nn
from torch.nn import functional

from ...core.errors import UsageError
from .linear import StackedLinear
from .stack import Stack

__all__ = ["Chain", "chain_of"]

Generators = Sequence[torch.Generator] | None
Layer = Callable[[torch.Tensor, bool, Generators], torch.Tensor]
"""(values, whether they have an axis of candidates, one generator a candidate in training and None in evaluation)."""

ZERO_AT_ZERO = (
    nn.ReLU, nn.ReLU6, nn.GELU, nn.SiLU, nn.Tanh, nn.LeakyReLU, nn.ELU, nn.CELU, nn.SELU, nn.Mish, nn.Hardswish,
    nn.Softsign, nn.Identity,
)  # fmt: skip
"""Functions of one value with f(0) = 0: a unit that a narrow candidate lacks stays zero behind them."""


class Chain:
    """Layers, one after the other. ``random``: one of them draws random numbers in training."""

    def __init__(self, layers: Sequence[tuple[Layer, bool]], random: bool) -> None:
        self._layers, self.random = list(layers), random

    def __call__(self, x: torch.Tensor, stacked: bool, generators: Generators) -> torch.Tensor:
        """``x`` [N, ...], or [K, N, ...] where ``stacked``, to [K, N, ...]."""
        for layer, stacks in self._layers:
            x = layer(x, stacked, generators)
            stacked = stacked or stacks
        return x


def chain_of(stack: Stack) -> Chain | None:
    """The chain that the stack's networks are, or None where one layer is of a kind that is not known here, is used
    twice, or is watched by a hook. The first layer with weights brings in the axis of candidates.
    """
    leaves = list(_leaves(stack.networks, ""))
    if len({id(m[0]) for _, m in leaves}) < len(leaves) or any(_hooked(m) for _, ms in leaves for m in ms):
        return None
    made: list[tuple[Layer, bool]] = []
    random = False
    widths: list[int] = []
    for prefix, modules in leaves:
        layer = _layer(stack, prefix, modules)
        if layer is None:
            return None
        widths = [m.out_features for m in modules if isinstance(m, nn.Linear)] or widths
        if isinstance(layer, _Dropout):
            random, layer.widths = True, widths if len(set(widths)) > 1 else None
        made.append((layer, isinstance(layer, (_Linear, _LayerNorm, _BatchNorm, _Dropout))))
    return Chain(made, random) if any(isinstance(layer, _Linear) for layer, _ in made) else None


def _leaves(modules: Sequence[nn.Module], name: str) -> Iterator[tuple[str, Sequence[nn.Module]]]:
    if type(modules[0]) is nn.Sequential:
        for child in modules[0]._modules:
            yield from _leaves([m.get_submodule(child) for m in modules], f"{name}{child}.")
    else:
        yield name, modules


def _hooked(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks or module._backward_hooks)


def _layer(stack: Stack, prefix: str, modules: Sequence[nn.Module]) -> Layer | None:
    first, kind = modules[0], type(modules[0])
    alike = all(m.extra_repr() == first.extra_repr() for m in modules)
    if kind is nn.Linear:
        return _Linear(stack, prefix)
    if kind is nn.Dropout:
        return _Dropout(stack, [m.p for m in modules if isinstance(m, nn.Dropout)])
    if isinstance(first, nn.LayerNorm) and kind is nn.LayerNorm and len(first.normalized_shape) == 1:
        eps = {m.eps for m in modules if isinstance(m, nn.LayerNorm)}
        return _LayerNorm(stack, prefix, modules, first.eps) if len(eps) == 1 else None
    if isinstance(first, nn.BatchNorm1d) and kind is nn.BatchNorm1d:
        same = len({(m.eps, m.momentum, m.affine, m.track_running_stats) for m in modules}) == 1
        plain = first.affine and first.track_running_stats and first.momentum is not None
        return _BatchNorm(stack, prefix, first) if same and plain else None
    if isinstance(first, nn.Flatten) and kind is nn.Flatten and (first.start_dim, first.end_dim) == (1, -1):
        return _flatten if alike else None
    return _Elementwise(first) if kind in ZERO_AT_ZERO and alike else None


def _flatten(x: torch.Tensor, stacked: bool, generators: Generators) -> torch.Tensor:
    del generators
    return x.flatten(2 if stacked else 1)


class _Elementwise:
    def __init__(self, module: nn.Module) -> None:
        self._module = copy.deepcopy(module)
        if getattr(self._module, "inplace", False):
            self._module.inplace = False  # type: ignore[assignment]  # what comes in may be the batch of all

    def __call__(self, x: torch.Tensor, stacked: bool, generators: Generators) -> torch.Tensor:
        del stacked, generators
        out: torch.Tensor = self._module(x)
        return out


class _Linear:
    def __init__(self, stack: Stack, prefix: str) -> None:
        self._product = StackedLinear(stack.parameters[f"{prefix}weight"], stack.parameters.get(f"{prefix}bias"))

    def __call__(self, x: torch.Tensor, stacked: bool, generators: Generators) -> torch.Tensor:
        del generators
        if x.ndim < (3 if stacked else 2):
            raise UsageError(f"a linear layer gets values of shape {list(x.shape)}", "Give a batch: [N, features].")
        return self._product(x, stacked)


class _Dropout:
    """Each candidate draws its own units from its own generator, in the order in which the network alone would draw
    them: the very same units.
    """

    def __init__(self, stack: Stack, shares: Sequence[float]) -> None:
        self._stack, self._shares = stack, shares
        self.widths: Sequence[int] | None = None

    def __call__(self, x: torch.Tensor, stacked: bool, generators: Generators) -> torch.Tensor:
        if generators is None:
            return x
        shape = x.shape[1:] if stacked else x.shape
        noise = torch.ones(len(self._stack), *shape)
        for k, (p, generator) in enumerate(zip(self._shares, generators, strict=True)):
            if not p:
                continue
            width = shape[-1] if self.widths is None else self.widths[k]
            if p == 1.0:
                noise[k].zero_()
            elif width == shape[-1]:
                noise[k].bernoulli_(1 - p, generator=generator).div_(1 - p)
            else:
                own = torch.empty(*shape[:-1], width).bernoulli_(1 - p, generator=generator).div_(1 - p)
                noise[k, ..., :width] = own
        return x * noise


class _LayerNorm:
    """Over the last axis; a narrow candidate's mean and variance are over the units that it has."""

    def __init__(self, stack: Stack, prefix: str, modules: Sequence[nn.Module], eps: float) -> None:
        self._weight, self._bias = stack.parameters.get(f"{prefix}weight"), stack.parameters.get(f"{prefix}bias")
        self._eps, self._k = eps, len(stack)
        widths = [m.normalized_shape[0] for m in modules if isinstance(m, nn.LayerNorm)]
        self._widths = torch.tensor(widths) if len(set(widths)) > 1 else None

    def __call__(self, x: torch.Tensor, stacked: bool, generators: Generators) -> torch.Tensor:
        del generators
        x = x if stacked else x.expand(self._k, *x.shape)
        if self._widths is None:
            y = functional.layer_norm(x, x.shape[-1:], None, None, self._eps)
        else:
            over = (self._k, *(1 for _ in x.shape[1:]))
            count = self._widths.view(over).to(x.dtype)
            own = (torch.arange(x.shape[-1]) < self._widths[:, None]).view(self._k, *over[2:], -1)
            centred = (x - (x * own).sum(dim=-1, keepdim=True) / count) * own
            y = centred * (centred.square().sum(dim=-1, keepdim=True) / count + self._eps).rsqrt()
        between = (self._k, *(1 for _ in x.shape[1:-1]), x.shape[-1])
        if self._weight is not None:
            y = y * self._weight.view(between)
        return y if self._bias is None else y + self._bias.view(between)


class _BatchNorm:
    """Over the samples, by candidate and unit: one batch normalization of K times as many units."""

    def __init__(self, stack: Stack, prefix: str, module: nn.BatchNorm1d) -> None:
        self._stack, self._prefix, self._module = stack, prefix, module

    def __call__(self, x: torch.Tensor, stacked: bool, generators: Generators) -> torch.Tensor:
        k, training = len(self._stack), generators is not None
        x = x if stacked else x.expand(k, *x.shape)
        if x.ndim != 3:
            raise UsageError(f"BatchNorm1d gets {list(x.shape[1:])}", "In one batch it takes [N, units] only.")
        parameters, buffers = self._stack.parameters, self._stack.buffers
        if training:
            buffers[f"{self._prefix}num_batches_tracked"] += 1
        y = functional.batch_norm(
            x.transpose(0, 1).reshape(x.shape[1], -1),
            buffers[f"{self._prefix}running_mean"].view(-1),
            buffers[f"{self._prefix}running_var"].view(-1),
            parameters[f"{self._prefix}weight"].reshape(-1),
            parameters[f"{self._prefix}bias"].reshape(-1),
            training,
            self._module.momentum or 0.0,
            self._module.eps,
        )
        return y.view(x.shape[1], k, -1).transpose(0, 1)
