"""``DetectionTargets``: the objects of a batch, in one list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ...inputs.objects import Objects

__all__ = ["DetectionTargets"]


@dataclass(frozen=True, eq=False)
class DetectionTargets:
    """The M objects of ``count`` images.

    ``image`` int64 [M] 0..count-1, ``classes`` int64 [M], ``boxes`` float32 [M,4] x1, y1, x2, y2 in pixels of the
    network's input, ``ignore`` bool [M]: neither a miss nor a false alarm. A list and not one padded row per image:
    then nothing is computed for padding, and a batch may mix mosaics of 80 objects with empty images.
    """

    image: torch.Tensor
    classes: torch.Tensor
    boxes: torch.Tensor
    ignore: torch.Tensor
    count: int

    @classmethod
    def of(cls, objects: Sequence[Objects]) -> DetectionTargets:
        """From one placed ``Objects`` per image, in the batch's order. Boxes without area are left out: they are slips
        of whoever drew them (two of the blood cells' 4,888), and no answer could have an IoU with them.
        """
        objects = [o.take(o.areas > 0) for o in objects]
        lengths = [len(o.classes) for o in objects]
        image = np.repeat(np.arange(len(objects), dtype=np.int64), lengths)
        boxes = np.concatenate([np.zeros((0, 4), np.float32), *(o.boxes.reshape(-1, 4) for o in objects)])
        classes = np.concatenate([np.zeros(0, np.int64), *(o.classes for o in objects)])
        ignore = np.concatenate([np.zeros(0, bool), *(o.ignore for o in objects)])
        return cls(
            torch.from_numpy(image),
            torch.from_numpy(classes),
            torch.from_numpy(boxes.astype(np.float32)),
            torch.from_numpy(ignore),
            len(objects),
        )

    def ordered(self) -> DetectionTargets:
        """The same objects sorted by image, class, corners and ``ignore``, so that no tie depends on their order."""
        order = torch.arange(len(self.image), device=self.image.device)
        for key in (self.ignore.long(), *self.boxes.flip(1).unbind(1), self.classes, self.image):
            order = order[torch.argsort(key[order], stable=True)]
        return self.taken(order)

    def taken(self, index: torch.Tensor) -> DetectionTargets:
        """The objects at ``index`` (positions, or bool [M]) of the same images."""
        return DetectionTargets(
            self.image[index], self.classes[index], self.boxes[index], self.ignore[index], self.count
        )

    def __getitem__(self, images: slice) -> DetectionTargets:
        """The objects of a stretch of images, which are then numbered from 0."""
        start, stop, step = images.indices(self.count)
        assert step == 1, "a batch is cut into stretches"
        inside = self.taken((self.image >= start) & (self.image < stop))
        return DetectionTargets(inside.image - start, inside.classes, inside.boxes, inside.ignore, max(0, stop - start))

    def plausible(self) -> bool:
        """True where boxes are finite numbers and classes are not below 0."""
        if not len(self.image):
            return True
        return bool(self.boxes.abs().max() <= 1e15) and int(self.classes.min()) >= 0

    def to(self, device: torch.device | str) -> DetectionTargets:
        return DetectionTargets(
            self.image.to(device), self.classes.to(device), self.boxes.to(device), self.ignore.to(device), self.count
        )
