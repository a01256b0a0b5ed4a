"""``Head``: how one kind of detector lays out its outputs; what all kinds share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ...core.errors import JobError, UsageError
from .detections import Detections

__all__ = [
    "Head",
    "Outputs",
    "Quota",
    "best_of",
    "centres",
    "checked",
    "corners",
    "logit",
    "scaled",
    "sigmoid",
    "whole_size",
]

Outputs = Mapping[str, Any]
"""Arrays by name, first axis = image; of a network that answers with lists, lists of arrays."""


@dataclass(frozen=True)
class Quota:
    """``score``: least score that is looked at. ``candidates``: how many of an image at most, before suppression."""

    score: float
    candidates: int


@dataclass(frozen=True)
class Head(ABC):
    """Frozen and of plain values; ``style`` is its name in settings. ``names``: the outputs' names by role (boxes,
    scores, labels), where they are not the usual ones.
    """

    style: ClassVar[str]
    suppressed: ClassVar[bool] = False
    """True where the network itself leaves one box an object."""
    roles: ClassVar[Mapping[str, tuple[str, ...]]]
    """The usual names of each output, by role."""

    names: Mapping[str, str] = field(default_factory=dict)

    @abstractmethod
    def candidates(self, outputs: Outputs, count: int, quota: Quota) -> list[Detections]:
        """Of each of ``count`` images at most ``quota.candidates``, best first. Raises ``JobError`` ("not finite",
        "wrong shape").
        """

    def classes(self, outputs: Outputs) -> int:
        """How many classes the outputs have; 0 where they do not say."""
        del outputs
        return 0

    def output(self, outputs: Outputs, role: str) -> Any:
        """The output of a role. Raises ``JobError`` naming what there is."""
        name = self.names.get(role)
        usual = (name,) if name else self.roles[role]
        found = next((outputs[n] for n in usual if n in outputs), None)
        if found is None and not name and len(self.roles) == 1 and len(outputs) == 1:
            found = next(iter(outputs.values()))
        if found is None:
            raise JobError(
                f"the model has no output {' or '.join(repr(n) for n in usual)}; it has: {', '.join(outputs)}",
                f'Say which one holds the {role}: "names": {{"{role}": "..."}} in the settings of detection.',
                kind="wrong shape",
            )
        return found

    def array(self, outputs: Outputs, role: str, count: int, width: int = 0) -> np.ndarray:
        """The output as float [count, places, width]; ``width`` 0 takes any."""
        found = np.asarray(self.output(outputs, role))
        if found.ndim != 3 or len(found) != count or (width and found.shape[2] != width):
            raise JobError(
                f"the {role} of {count} image(s) are {found.dtype} {list(found.shape)}, "
                f"style {self.style} takes [{count}, places, {width or 'values'}]",
                'Name the style of this detector: "style" is one of grid, yolo, torchvision, detr.',
                kind="wrong shape",
            )
        return checked(found)


def checked(values: np.ndarray) -> np.ndarray:
    """``values`` where all are finite. Raises ``JobError`` ("not finite")."""
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        bad = int((~np.isfinite(values)).reshape(len(values), -1).any(axis=1).sum())
        raise JobError(f"the outputs of {bad} of {len(values)} images are NaN or infinite", kind="not finite")
    return values


def best_of(values: np.ndarray, least: float, most: int) -> np.ndarray:
    """Places (int64, at most ``most``) of the largest of flat ``values`` that are at least ``least``, largest first;
    of equal ones the first. Never sorts more than it must: a network has a hundred thousand scores an image.
    """
    found = np.flatnonzero(values >= least)
    if len(found) > most:
        chosen = values[found]
        cut = np.partition(chosen, len(chosen) - most)[len(chosen) - most]
        above = found[chosen > cut]
        found = np.sort(np.concatenate([above, found[chosen == cut][: most - len(above)]]))
    order: np.ndarray = found[np.argsort(-values[found], kind="stable")]
    return order


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """float64, without overflow."""
    shares: np.ndarray = 0.5 * (1.0 + np.tanh(0.5 * logits.astype(np.float64)))
    return shares


def logit(share: float) -> float:
    """The logit of a share; minus infinity for 0 (all are looked at)."""
    return float(np.log(share / (1.0 - share))) if share > 0 else float("-inf")


def centres(strides: Sequence[int], size: tuple[int, int], offset: float) -> tuple[np.ndarray, np.ndarray]:
    """(points float64 [A,2] as x, y in pixels, stride float64 [A]) of a grid's cells: strides in the given order, each
    level row by row; cell (x, y) of stride s lies at ((x + offset) s, (y + offset) s).
    """
    points, sizes = [], []
    for stride in strides:
        height, width = size[0] // stride, size[1] // stride
        y, x = np.divmod(np.arange(height * width), width)
        points.append((np.stack([x, y], 1) + offset) * stride)
        sizes.append(np.full(height * width, float(stride)))
    return np.concatenate(points), np.concatenate(sizes)


def corners(boxes: np.ndarray) -> np.ndarray:
    """x1, y1, x2, y2 from centre x, centre y, width, height."""
    half = boxes[..., 2:] / 2
    out: np.ndarray = np.concatenate([boxes[..., :2] - half, boxes[..., :2] + half], axis=-1)
    return out


def scaled(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Pixels from shares of ``size`` = (height, width)."""
    return boxes * np.array([size[1], size[0], size[1], size[0]], np.float64)


def whole_size(size: Any) -> tuple[int, int]:
    """(height, width) of the network's input. Raises ``UsageError`` where it is not known or no size."""
    sides = list(size) if isinstance(size, (list, tuple)) else [size, size] if isinstance(size, int) and size else []
    if len(sides) != 2 or any(isinstance(s, bool) or not isinstance(s, int) or s < 1 for s in sides):
        raise UsageError(
            f"the detector's input size is {size!r}", 'Give "size": [height, width] in the settings of detection.'
        )
    return sides[0], sides[1]
