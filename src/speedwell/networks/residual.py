"""``residual``: a residual network for small images, 3 stages of 3x3 convolutions (ResNet-20 with 32 x 32 pixels)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ..core.errors import UsageError

__all__ = ["NORMS", "Block", "Residual", "residual"]

NORMS = ("batch", "group")

FINEST = 32
"""Pixels of the first stage's side: larger images are halved by the stem first."""


def _norm(kind: str, channels: int) -> nn.Module:
    """Batch norm folds into the convolution before it. Group norm, of 4 channels a group where they divide so, treats
    each sample by itself (Wu and He 2018, arXiv:1803.08494): private training needs that, and it does not fold.
    """
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    return nn.GroupNorm(channels // 4 if channels % 4 == 0 else 1, channels)


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut, which is a 1x1 convolution where the shape changes (option B of the paper:
    no slicing or padding with zeros, which pruning tools and quantizers handle badly).
    """

    def __init__(self, inside: int, out: int, stride: int, norm: str = "batch") -> None:
        super().__init__()
        self.first = nn.Conv2d(inside, out, 3, stride, 1, bias=False)
        self.first_norm = _norm(norm, out)
        self.second = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.second_norm = _norm(norm, out)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inside != out:
            self.shortcut = nn.Sequential(nn.Conv2d(inside, out, 1, stride, bias=False), _norm(norm, out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(self.second_norm(self.second(y)) + self.shortcut(x))


class Residual(nn.Module):
    """Stem, three stages of ``blocks`` each at ``width``, 2 and 4 times ``width`` channels, average, linear head."""

    def __init__(
        self, classes: int, channels: int, halvings: int, blocks: int, width: int, norm: str = "batch"
    ) -> None:
        super().__init__()
        stem: list[nn.Module] = []
        inside = channels
        for step in range(max(1, halvings)):
            stride = 2 if step < halvings else 1
            stem += [nn.Conv2d(inside, width, 3, stride, 1, bias=False), _norm(norm, width), nn.ReLU()]
            inside = width
        self.stem = nn.Sequential(*stem)
        stages: list[nn.Module] = []
        for stage in range(3):
            out = width << stage
            for block in range(blocks):
                stages.append(Block(inside, out, 2 if stage and block == 0 else 1, norm))
                inside = out
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(inside, classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.stages(self.stem(image))
        out: torch.Tensor = self.head(x.mean(dim=(2, 3)))
        return out


def residual(
    classes: int,
    size: Sequence[int] = (32, 32),
    channels: int = 3,
    depth: int = 20,
    width: int = 16,
    norm: str = "batch",
) -> nn.Module:
    """The network of He et al. 2015 (arXiv:1512.03385), section 4.2, with projection shortcuts.

    ``size``: (height, width) of the images; ``channels``: 1 or 3; ``depth`` = 6 n + 2 layers; ``width`` channels in
    the first stage; ``norm``: "batch", or "group" for private training. Depth 20 at 32 x 32: 0.27 M parameters, 41 M
    multiply-adds. Input [N, channels, height, width], output [N, classes]. Raises ``UsageError`` for a depth that is
    not of that form, another norm, or sizes below 1.
    """
    if depth < 8 or (depth - 2) % 6:
        raise UsageError(f"depth is {depth}", "A residual network has 6 n + 2 layers: 8, 14, 20, 32, 44 or 56.")
    if min(classes, channels, width, *size) < 1:
        raise UsageError(f"classes {classes}, channels {channels}, width {width}, size {tuple(size)}", "Each is >= 1.")
    if norm not in NORMS:
        raise UsageError(f"norm is {norm!r}", f"Use one of: {', '.join(NORMS)}.")
    halvings = 0
    while min(size) >> halvings > FINEST:
        halvings += 1
    network = Residual(classes, channels, halvings, (depth - 2) // 6, width, norm)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return network
