"""Weights spread over processes (fully sharded data parallel), for networks that do not fit into one.

Each process holds a part of every parameter, its gradient and its moments; layers are put together when they compute.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

__all__ = ["is_spread", "like", "shard", "whole"]

LARGE = 1 << 20
"""Parameters of a module from which on it is a unit of its own: gathered before it computes, let go after it."""


def shard(network: nn.Module) -> nn.Module:
    """Spread ``network``'s parameters over the default process group, in place. Large blocks are units of their own, so
    that no process ever holds all of it at once.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh("cpu", (torch.distributed.get_world_size(),))
    for module in network.modules():
        lists = (nn.ModuleList, nn.ModuleDict)  # containers without a forward of their own
        if module is network or isinstance(module, lists):
            continue
        own = sum(p.numel() for p in module.parameters())
        inner = max((sum(p.numel() for p in child.parameters()) for child in module.children()), default=0)
        if own >= LARGE > inner:
            fully_shard(module, mesh=mesh)
    fully_shard(network, mesh=mesh)
    return network


def is_spread(value: Any) -> bool:
    """True for a tensor of which this process holds a part."""
    return hasattr(value, "full_tensor")


def whole(value: torch.Tensor) -> torch.Tensor:
    """``value``, put together from all processes where it is spread. A collective: all must call it."""
    found: torch.Tensor = value.full_tensor() if is_spread(value) else value  # type: ignore[attr-defined]
    return found


def like(value: torch.Tensor, template: Any) -> torch.Tensor:
    """A whole tensor laid out as ``template`` is, and spread where that is; itself where it is of another shape (a
    count). The layout matters: torch's fused updates walk through memory and take both for laid out alike.
    """
    if not isinstance(template, torch.Tensor) or template.shape != value.shape:
        return value
    if not is_spread(template):
        return torch.empty_like(template, dtype=value.dtype, requires_grad=False).copy_(value)
    from torch.distributed.tensor import distribute_tensor

    place: Any = template
    spread: torch.Tensor = distribute_tensor(value, place.device_mesh, place.placements)
    return spread
