"""A compact anchor-free detector that trains on a processor and keeps its answers in 8 bits.

Plain 3x3 convolutions throughout. Per image and one thread (bfloat16, channels last, forward and backward), a plain
64-channel 3x3 with BatchNorm and ReLU on 60x80 costs 2.6 ms, the depthwise one 2.2 ms and a 1x1 2.0 ms: at these
sizes reading and writing the map is the price, and the plain convolution brings 64 times a depthwise one's products.
Depthwise weights also spread most from channel to channel, which is what 8 bits per tensor of activations suffer from.
At 256x320 and width 1 an image costs 1.38 GFLOP forward (2 per multiply-add) and 4.1 in training: forward, strides 2
and 4 take 0.25, stride 8 0.43, 16 0.25, 32 0.06, the pyramid 0.14, the heads 0.25. On one core with AMX that was 18 ms
an image in bfloat16 and 36 ms in float32 (batch 8, forward and backward).

The shape (ResNet blocks, a pyramid, separate branches for class and box) follows FCOS (Tian et al. 2019,
arXiv:1904.01355) and RTMDet (Lyu et al. 2022, arXiv:2212.07784), without their centre-ness or shared heads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from ..core.errors import UsageError

__all__ = ["Detector", "detector"]

PRIOR = 0.01
"""What a fresh head answers for every class: most cells hold nothing, and the first steps should not be spent on
saying so (Lin et al. 2017, arXiv:1708.02002, section 4.1)."""
REACH = 1.5
"""A fresh head's distance to each edge, in strides. Boxes of 3 strides on levels a factor of 2 apart: for an object of
any size some fresh box has IoU >= 1/2 with it, and the assignment finds it. And well above 0, where the ReLU that ends
the branch has a slope."""
WIDTHS = (16, 32, 64, 96, 128)
DEPTHS = (0, 1, 2, 2, 1)
"""Channels and residual blocks at strides 2, 4, 8, 16, 32."""
NECK = 64
"""Channels of the pyramid and the heads."""
STRIDES = (4, 8, 16, 32)
"""Where answers may sit."""


class Unit(nn.Sequential):
    """Convolution without bias, BatchNorm, ReLU: what every compiler folds into one 8-bit kernel."""

    def __init__(self, inside: int, out: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inside, out, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True)
        )


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut, [N,C,H,W] to the same (He et al. 2015, arXiv:1512.03385)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = Unit(channels, channels)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(self.norm(self.second(self.first(x))) + x)


class Pyramid(nn.Module):
    """Coarse levels tell finer ones what they saw: 1x1 to a common width, upsample, add, smooth (Lin et al. 2016,
    arXiv:1612.03144).
    """

    def __init__(self, insides: Sequence[int], out: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(Unit(inside, out, 1) for inside in insides)
        self.smooth = nn.ModuleList(Unit(out, out) for _ in insides)

    def forward(self, levels: list[torch.Tensor]) -> list[torch.Tensor]:
        outs: list[torch.Tensor] = []
        above: torch.Tensor | None = None
        for level, lateral, smooth in zip(levels[::-1], self.lateral[::-1], self.smooth[::-1], strict=True):
            x = lateral(level)
            if above is not None:
                x = x + functional.interpolate(above, scale_factor=2.0, mode="nearest")
            above = smooth(x)
            outs.append(above)
        return outs[::-1]


class Head(nn.Module):
    """One level's answers: {"boxes" [N,cells,4], "scores" [N,cells,classes]}.

    A head per level, because a scale per level is what 8-bit activations want, and BatchNorm's running statistics
    over levels of different content would be those of none.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.class_branch = Unit(channels, channels)
        self.box_branch = Unit(channels, channels)
        self.scores = nn.Conv2d(channels, classes, 1)
        self.boxes = nn.Conv2d(channels, 4, 1)
        nn.init.normal_(self.scores.weight, std=0.01)
        nn.init.constant_(self.scores.bias, -math.log((1 - PRIOR) / PRIOR))  # type: ignore[arg-type]
        nn.init.normal_(self.boxes.weight, std=0.01)
        nn.init.constant_(self.boxes.bias, REACH)  # type: ignore[arg-type]

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        # ReLU, not exp: a step of an 8-bit scale is then the same number of pixels for every size, where after exp
        # one step is a share of the size; it also fuses into the convolution
        boxes = functional.relu(self.boxes(self.box_branch(x)))
        scores = self.scores(self.class_branch(x))
        return boxes.flatten(2).transpose(1, 2), scores.flatten(2).transpose(1, 2)


class Detector(nn.Module):
    """float [N,3,H,W] to {"boxes": [N,A,4], "scores": [N,A,classes]}.

    ``boxes``: distances (left, top, right, bottom) >= 0 from a cell's centre, in strides of its level. ``scores``:
    logits, one sigmoid per class. A = cells of all levels, strides ascending, each level row by row; the centre of
    cell (x, y) at stride s is ((x + 0.5) s, (y + 0.5) s). Fresh weights depend on torch's seed alone.
    """

    def __init__(
        self,
        classes: int,
        size: tuple[int, int],
        strides: tuple[int, ...] = (8, 16, 32),
        widths: tuple[int, ...] = WIDTHS,
        neck: int = NECK,
    ) -> None:
        super().__init__()
        self.strides = strides
        self.first = int(math.log2(strides[0])) - 1
        deepest = int(math.log2(strides[-1]))
        stages = []
        inside = 3
        for width, depth in zip(widths[:deepest], DEPTHS[:deepest], strict=True):
            stages.append(nn.Sequential(Unit(inside, width, 3, 2), *(Block(width) for _ in range(depth))))
            inside = width
        self.stages = nn.ModuleList(stages)
        self.pyramid = Pyramid(widths[self.first : deepest], neck)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, Block):
                nn.init.zeros_(module.norm.weight)  # a fresh block passes its input on (arXiv:1706.02677, 5.1)
        self.heads = nn.ModuleList(Head(neck, classes) for _ in strides)
        self.preprocessing = {
            "image": {
                "size": list(size),
                "resize": "letterbox",
                "mean": [0.5, 0.5, 0.5],
                "std": [0.25, 0.25, 0.25],
            }
        }
        self.detection = {"style": "grid", "strides": list(strides), "size": list(size)}

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        x = image
        levels = []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number >= self.first:
                levels.append(x)
        answers = [head(level) for head, level in zip(self.heads, self.pyramid(levels), strict=True)]
        return {"boxes": torch.cat([a[0] for a in answers], 1), "scores": torch.cat([a[1] for a in answers], 1)}


def detector(
    classes: int,
    size: int | Sequence[int],
    width: float = 1.0,
    strides: Sequence[int] = (8, 16, 32),
) -> Detector:
    """A ``Detector`` with fresh weights (1.34 M parameters at ``width`` 1, which scales all channels).

    ``size``: side, or (height, width), of the input in pixels, multiples of the coarsest stride. ``strides``: where the
    answers sit, each the double of the one before, from 4, 8, 16, 32. An object of side s is found best where s is 2
    to 5 strides: leave out levels that the data does not need. Raises ``UsageError`` for other values.
    """
    sides = tuple(size) if isinstance(size, Sequence) else (size, size)
    levels = tuple(strides)
    whole = all(type(number) is int for number in (classes, *sides, *levels))
    if not whole or len(sides) != 2 or classes < 1 or not 0.25 <= width <= 4:
        raise UsageError(
            f"classes {classes!r}, size {size!r}, width {width!r}",
            "Give at least 1 class, a side or (height, width) in pixels, and a width of 0.25 to 4.",
        )
    if levels not in [STRIDES[a:b] for a in range(len(STRIDES)) for b in range(a + 1, len(STRIDES) + 1)]:
        raise UsageError(f"strides {list(levels)}", f"Give neighbours out of {list(STRIDES)}, the finest first.")
    if min(sides) < levels[-1] or any(side % levels[-1] for side in sides):
        fit = [max(1, math.ceil(side / levels[-1])) * levels[-1] for side in sides]
        raise UsageError(
            f"an input of {sides[0]}x{sides[1]} has no whole number of cells of {levels[-1]} pixels",
            f"Use {fit[0]}x{fit[1]}, or leave out the coarsest stride.",
        )
    return Detector(
        classes, (sides[0], sides[1]), levels, tuple(_round(w * width) for w in WIDTHS), _round(NECK * width)
    )


def _round(channels: float) -> int:
    """To a multiple of 8, which is what int8 kernels work in."""
    return max(8, int(channels + 4) // 8 * 8)
