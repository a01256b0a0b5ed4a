"""``DetectionBatches``: pictures and their objects from an encoded split, augmented one by one."""

from __future__ import annotations

import numpy as np

from ..inputs import EncodedSplit, ImageTransform, LetterboxTransform
from ..inputs.objects import Objects
from .augment.detection import DetectionAugmentation, augment
from .batch import Batch, PixelTensors
from .losses.targets import DetectionTargets
from .recipe import Augment

__all__ = ["DetectionBatches"]


class DetectionBatches:
    """Targets are ``DetectionTargets`` in pixels of the network's input. The split must hold pictures of 3 channels of
    one size (a letterbox or a stretch gives such), and objects.
    """

    def __init__(self, split: EncodedSplit, choice: Augment) -> None:
        transform = split.transform
        assert isinstance(transform, (ImageTransform, LetterboxTransform)), "batch_maker chooses"
        pixels = split.field("pixels")
        assert pixels is not None, "batch_maker chooses"
        self.split, self._pixels = split, pixels
        self._tensors = PixelTensors(transform)
        self._options = DetectionAugmentation(
            flip=0.5 if choice.flip else 0.0,
            scale=choice.scale,
            shift=choice.shift,
            mosaic=choice.mosaic,
            colour=choice.colour if transform.channels == 3 else 0.0,
        )

    def __call__(self, index: np.ndarray, rng: np.random.Generator | None) -> Batch:
        pairs = [self._read(int(i)) if rng is None else self._augmented(int(i), rng) for i in index]
        height, width, channels = self._pixels.shape[1:]
        # a share of a small last batch may be empty where several processes train
        pixels = np.stack([p for p, _ in pairs]) if pairs else np.zeros((0, height, width, channels), np.uint8)
        return Batch(self._tensors(pixels), DetectionTargets.of([o for _, o in pairs]), index)

    def _augmented(self, i: int, rng: np.random.Generator) -> tuple[np.ndarray, Objects]:
        return augment(i, self._read, len(self.split), rng, self._options)

    def _read(self, i: int) -> tuple[np.ndarray, Objects]:
        objects = self.split.objects(i)
        assert objects is not None, "batch_maker chooses"
        return self._pixels[i], objects
