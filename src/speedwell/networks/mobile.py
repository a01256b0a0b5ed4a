"""``mobile``: inverted residual blocks with depthwise convolutions, for images from 32 to 224 pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ..core.errors import UsageError

__all__ = ["InvertedBlock", "Mobile", "mobile"]

STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 40, 2, 2), (6, 80, 3, 2), (6, 112, 2, 1), (6, 160, 2, 2))
"""Per stage: expansion, channels, blocks, stride (Sandler et al. 2018, table 2, shortened)."""
COARSEST = 4
"""Pixels of the last stage's side; where an image is small, the first strides are left out."""


def _unit(inside: int, out: int, kernel: int, stride: int, groups: int = 1, active: bool = True) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(inside, out, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out),
    ]
    # ReLU6 bounds what an 8-bit activation has to span
    return nn.Sequential(*layers, *([nn.ReLU6()] if active else []))


class InvertedBlock(nn.Module):
    """1x1 expansion, depthwise 3x3, linear 1x1 projection; a shortcut where the shape stays."""

    def __init__(self, inside: int, out: int, stride: int, expansion: int) -> None:
        super().__init__()
        middle = inside * expansion
        layers = [] if expansion == 1 else [_unit(inside, middle, 1, 1)]
        layers += [_unit(middle, middle, 3, stride, middle), _unit(middle, out, 1, 1, active=False)]
        self.layers = nn.Sequential(*layers)
        self.keeps = stride == 1 and inside == out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.layers(x)
        return x + y if self.keeps else y


class Mobile(nn.Module):
    """Stem, the stages of ``STAGES``, a 1x1 convolution, average, dropout, linear head."""

    def __init__(self, classes: int, channels: int, strides: Sequence[int], multiplier: float, dropout: float) -> None:
        super().__init__()
        inside = _round(32 * multiplier)
        layers: list[nn.Module] = [_unit(channels, inside, 3, strides[0])]
        for (expansion, width, blocks, _), stride in zip(STAGES, strides[1:], strict=True):
            out = _round(width * multiplier)
            for block in range(blocks):
                layers.append(InvertedBlock(inside, out, stride if block == 0 else 1, expansion))
                inside = out
        last = _round(640 * max(1.0, multiplier))
        self.features = nn.Sequential(*layers, _unit(inside, last, 1, 1))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(last, classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.features(image).mean(dim=(2, 3))
        out: torch.Tensor = self.head(self.dropout(x))
        return out


def _round(channels: float) -> int:
    """To a multiple of 8, which is what int8 kernels work in; never more than a tenth below."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def mobile(
    classes: int,
    size: Sequence[int] = (224, 224),
    channels: int = 3,
    multiplier: float = 1.0,
    dropout: float = 0.2,
) -> nn.Module:
    """A MobileNetV2-like network (Sandler et al. 2018, arXiv:1801.04381).

    ``multiplier`` scales all widths. Strides are left out, first ones first, until the last stage has ``COARSEST``
    pixels a side. Input [N, channels, height, width], output [N, classes]. Raises ``UsageError`` for bad values.
    """
    if min(classes, channels, *size) < 1 or not 0.1 <= multiplier <= 4 or not 0 <= dropout < 1:
        raise UsageError(
            f"classes {classes}, channels {channels}, size {tuple(size)}, multiplier {multiplier}, dropout {dropout}",
            "multiplier is 0.1 to 4, dropout below 1, the others at least 1.",
        )
    strides = [2, *(stage[3] for stage in STAGES)]
    for at, stride in enumerate(strides):
        total = 1
        for s in strides:
            total *= s
        if stride > 1 and min(size) // total < COARSEST:
            strides[at] = 1
    network = Mobile(classes, channels, strides, multiplier, dropout)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return network
