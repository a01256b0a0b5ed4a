"""``Batch``: what one training step computes on, and the makers that turn positions in a data set into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from ..inputs import EncodedSplit, ImageTransform, LetterboxTransform
from .augment.images import augmented
from .recipe import Augment

__all__ = ["ArrayBatches", "Batch", "BatchMaker", "ImageBatches", "PixelTensors", "batch_maker"]


@dataclass(frozen=True, eq=False)
class Batch:
    """``inputs``: tensors by the network's input names, first axis = batch. ``targets``: what the loss takes (int64
    [N] classes, or a record of its own). ``samples``: int64 [N], positions in the data set.
    """

    inputs: Mapping[str, torch.Tensor]
    targets: Any
    samples: np.ndarray

    def __len__(self) -> int:
        return len(self.samples)

    def part(self, start: int, stop: int) -> Batch:
        """Samples ``start`` to ``stop`` of it."""
        whole = self.targets[start:stop]
        return Batch({n: v[start:stop] for n, v in self.inputs.items()}, whole, self.samples[start:stop])


class BatchMaker(Protocol):
    """Makes a batch of ``index``; ``rng`` is None for samples as they are. Called from a thread of its own."""

    def __call__(self, index: np.ndarray, rng: np.random.Generator | None) -> Batch: ...


class ArrayBatches:
    """Any encoded split, through its own transform. ``drop_tokens``: share of a text's tokens hidden from attention."""

    def __init__(self, split: EncodedSplit, augment: Augment) -> None:
        self.split = split
        self._drop = augment.drop_tokens
        self._mask = getattr(split.transform, "roles", {}).get("attention_mask", "")

    def __call__(self, index: np.ndarray, rng: np.random.Generator | None) -> Batch:
        arrays = self.split.batch(index)
        if rng is not None and self._drop and self._mask in arrays:
            mask = arrays[self._mask]
            keep = rng.random(mask.shape) >= self._drop
            keep[:, 0] = True  # a text of which nothing is left would be no text
            arrays[self._mask] = np.where(keep, mask, np.zeros_like(mask))
        inputs = {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in arrays.items()}
        return Batch(inputs, torch.from_numpy(self.split.targets[index].astype(np.int64)), index)


class PixelTensors:
    """Pixels, uint8 [N, H, W, C], to the network's input: one multiplication and one addition a value (``affine``), and
    the result already lies channels-last, as convolutions on a CPU want it.

    By numpy, because a parallel operation of torch in the loader's thread starts a second team of OpenMP threads, and
    with more of them than cores libgomp lets all go to sleep at every barrier: a ResNet-20's step took 1.17 times as
    long, a detector's 1.31 times.
    """

    def __init__(self, transform: ImageTransform | LetterboxTransform) -> None:
        self._name, self._channels_first = transform.input, transform.layout == "nchw"
        self._factor, self._term = transform.affine

    def __call__(self, pixels: np.ndarray) -> dict[str, torch.Tensor]:
        values = np.multiply(pixels, self._factor, dtype=np.float32, order="C")
        values += self._term
        floats = torch.from_numpy(values)
        return {self._name: floats.permute(0, 3, 1, 2) if self._channels_first else floats}


class ImageBatches:
    """Images of an ``ImageTransform``: bytes are gathered from the split, augmented as bytes, and made floats by
    ``PixelTensors``.
    """

    def __init__(self, split: EncodedSplit, augment: Augment) -> None:
        transform = split.transform
        assert isinstance(transform, ImageTransform), "batch_maker chooses"
        self.split, self.augment = split, augment
        self._tensors = PixelTensors(transform)
        pixels = split.field("pixels")
        assert pixels is not None, "batch_maker chooses"
        self._pixels = pixels

    def __call__(self, index: np.ndarray, rng: np.random.Generator | None) -> Batch:
        pixels = self._pixels.gather(index)
        if rng is not None:
            pixels = augmented(pixels, self.augment, rng)
        return Batch(self._tensors(pixels), torch.from_numpy(self.split.targets[index].astype(np.int64)), index)


def batch_maker(split: EncodedSplit, augment: Augment) -> BatchMaker:
    """The fastest maker for how the split is encoded."""
    transform = split.transform
    if split.has_objects:
        from .detection_batch import DetectionBatches

        return DetectionBatches(split, augment)
    if isinstance(transform, ImageTransform) and transform.dtype == "float32" and split.field("pixels") is not None:
        return ImageBatches(split, augment)
    return ArrayBatches(split, augment)
