"""A small residual network for 28 x 28 grey images: 8.9 M multiply-adds, trained by the demo in under a minute.

The demo copies this file beside its weights, so that its command reads like one on your own model:
``speedwell accelerate demo-out/network.py:build --weights demo-out/weights.safetensors --data ...``
"""

import torch
from torch import nn


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al. 2015, arXiv:1512.03385)."""

    def __init__(self, inside: int, out: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inside, out, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(out)
        self.second = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(out)
        same = stride == 1 and inside == out
        self.shortcut = nn.Identity() if same else nn.Conv2d(inside, out, 1, stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(self.second_norm(self.second(y)) + self.shortcut(x))


class Network(nn.Module):
    """Stem, three blocks of 16, 32 and 64 channels, global average, linear head."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, 1, 1)
        self.blocks = nn.Sequential(Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2))
        self.head = nn.Linear(64, classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.blocks(torch.relu(self.stem(image)))
        out: torch.Tensor = self.head(x.mean(dim=(2, 3)))
        return out


def build() -> nn.Module:
    """What ``network.py:build`` names on the command line."""
    return Network()


build.preprocessing = {  # type: ignore[attr-defined]
    "image": {"size": [28, 28], "resize": "stretch", "colour": "gray", "mean": [0.1307], "std": [0.3081]}
}
