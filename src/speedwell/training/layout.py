"""Which memory layout a network of convolutions is trained in."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

__all__ = ["in_layout", "layout_of"]

BROKEN_BELOW = 16
"""Channels. Found with torch 2.13 (oneDNN, AVX-512): the backward pass of a 1x1 convolution with a stride, fewer input
channels than this and an odd batch writes beyond its memory when the layout is channels-last, and the process dies.
"""


def layout_of(network: nn.Module, channels_last: bool) -> torch.memory_format | None:
    """The layout for weights and inputs of rank 4; None where the network has no weight of rank 4.

    channels-last, which oneDNN's kernels want (1.27 times the speed on a ResNet-20), unless the recipe says no or a
    layer is one that the fault above would hit.
    """
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    if not convolutions:
        return None
    struck = any(
        max(m.stride) > 1 and tuple(m.kernel_size) == (1, 1) and m.groups == 1 and m.in_channels < BROKEN_BELOW
        for m in convolutions
    )
    return torch.channels_last if channels_last and not struck else torch.contiguous_format


def in_layout(inputs: Mapping[str, torch.Tensor], layout: torch.memory_format | None) -> dict[str, torch.Tensor]:
    """The inputs with every tensor of rank 4 in ``layout``; no copy where it lies so already."""
    if layout is None:
        return dict(inputs)
    return {n: _laid(v, layout) if v.ndim == 4 else v for n, v in inputs.items()}


def _laid(value: torch.Tensor, layout: torch.memory_format) -> torch.Tensor:
    if value.shape[1] == 1 and layout == torch.contiguous_format:
        # with one channel both layouts hold, and torch would take the strides of channels-last for its choice
        value = value.squeeze(1).contiguous().unsqueeze(1)
    return value.contiguous(memory_format=layout)
