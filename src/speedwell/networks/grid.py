"""The cells of a grid detector: where each of its answers sits, and what its distances mean in pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

__all__ = ["Grid"]


@dataclass(frozen=True, eq=False)
class Grid:
    """``centres``: float32 [A,2], (x, y) in input pixels; ``strides``: float32 [A], pixels. Strides ascending, row by
    row within a level.
    """

    centres: torch.Tensor
    strides: torch.Tensor

    @classmethod
    def of(cls, size: tuple[int, int], strides: Sequence[int], device: torch.device | str = "cpu") -> Grid:
        """The cells over an input of ``size`` (height, width), each side a multiple of every stride."""
        centres, sizes = [], []
        for stride in strides:
            y = (torch.arange(size[0] // stride, device=device, dtype=torch.float32) + 0.5) * stride
            x = (torch.arange(size[1] // stride, device=device, dtype=torch.float32) + 0.5) * stride
            rows, columns = torch.meshgrid(y, x, indexing="ij")
            centres.append(torch.stack([columns, rows], -1).reshape(-1, 2))
            sizes.append(torch.full((len(y) * len(x),), float(stride), device=device))
        return cls(torch.cat(centres), torch.cat(sizes))

    def boxes(self, distances: torch.Tensor) -> torch.Tensor:
        """[..., A, 4] distances (left, top, right, bottom; in strides) to float32 x1, y1, x2, y2 in pixels."""
        pixels = distances.float() * self.strides[:, None]
        return torch.cat([self.centres - pixels[..., :2], self.centres + pixels[..., 2:]], -1)
