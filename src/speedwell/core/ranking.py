"""Average precision of object detection, by counting: detections ranked once, resamples of images counted fast.

COCO's definition (Lin et al. 2014, arXiv:1405.0312): per class and IoU level, precision after each detection in order
of score, made monotone from the right, read at the recalls 0, 0.01, ..., 1; AP is the mean over recalls, levels and
classes that have objects. Only right detections raise recall, and between two of them precision falls, so their places
in the ranking are all that has to be looked at.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["RECALLS", "Ranking"]

RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True, eq=False)
class Ranking:
    """Detections of ``images`` images in order of class, then falling score; equal scores by image, then as given.

    ``image``: int64 [d], the image of each. ``place``: int64 [r], places of the right detections, level after level,
    ascending in each; ``segment``: level * classes + class of each; ``begins``: int64 [levels * classes + 1], where in
    ``place`` a segment begins; ``first``: int64 [r], where in the ranking its class begins.
    ``ignored``: int64, places of the detections that count neither way, level after level; of each right detection
    ``ignored_first`` to ``ignored_last`` of them lie between the begin of its class and itself.
    ``object_image``, ``object_class``: int64 [g], the objects that count.
    """

    images: int
    classes: int
    levels: int
    image: np.ndarray
    place: np.ndarray
    segment: np.ndarray
    begins: np.ndarray
    first: np.ndarray
    ignored: np.ndarray
    ignored_first: np.ndarray
    ignored_last: np.ndarray
    object_image: np.ndarray
    object_class: np.ndarray

    @staticmethod
    def of(
        order: np.ndarray,
        image: np.ndarray,
        scores: np.ndarray,
        labels: np.ndarray,
        hits: np.ndarray,
        ignored: np.ndarray,
        objects: tuple[np.ndarray, np.ndarray],
        levels: int,
    ) -> Ranking:
        """``order``: int64 [n], an image's rank among equal scores. ``image`` (ascending), ``scores``, ``labels`` [d]
        as stored; ``hits``, ``ignored``: unsigned [d], bit t for level t. ``objects``: image and class of each that
        counts.
        """
        object_image, object_class = (np.asarray(a, np.int64) for a in objects)
        classes = 1 + max(int(labels.max(initial=-1)), int(object_class.max(initial=-1)))
        # copies of an image that was drawn twice stay together: first its best detection twice, then the next
        within = np.arange(len(image)) - np.searchsorted(image, image)
        sort = np.lexsort((within, order[image], -scores.astype(np.float64), labels))
        label = labels[sort].astype(np.int64)
        level, place = _set(hits[sort], levels)
        aside_level, aside = _set(ignored[sort], levels)
        segment = level * classes + label[place]
        first = np.searchsorted(label, label[place])
        size = len(label) + 1
        return Ranking(
            images=len(order),
            classes=classes,
            levels=levels,
            image=image[sort].astype(np.int64),
            place=place,
            segment=segment,
            begins=np.searchsorted(segment, np.arange(levels * classes + 1)),
            first=first,
            ignored=aside,
            ignored_first=np.searchsorted(aside_level * size + aside, level * size + first),
            ignored_last=np.searchsorted(aside_level * size + aside, level * size + place),
            object_image=object_image,
            object_class=object_class,
        )

    def by_class(self, index: Sequence[int] | np.ndarray | None = None) -> np.ndarray:
        """float64 [levels, classes] on all images or on those of ``index`` (may repeat); NaN where a class has no
        object.
        """
        times = np.ones(self.images, np.int64) if index is None else np.bincount(index, minlength=self.images)
        objects = np.bincount(self.object_class, times[self.object_image], self.classes).astype(np.int64)
        found = self._read(times, objects)
        found[:, objects == 0] = np.nan
        return found

    def average(self, index: Sequence[int] | np.ndarray | None = None) -> float:
        """The mean over levels and classes that have objects, 0..1; 0 where there is no object at all."""
        found = self.by_class(index)
        there = ~np.isnan(found)
        return float(found[there].mean()) if there.any() else 0.0

    @functools.cached_property
    def _stretches(self) -> list[slice]:
        """Where in ``place`` each segment lies that has any."""
        ends = self.begins.tolist()
        return [slice(a, b) for a, b in itertools.pairwise(ends) if b > a]

    def _read(self, times: np.ndarray, objects: np.ndarray) -> np.ndarray:
        if not len(self.place):
            return np.zeros((self.levels, self.classes))
        weight = times[self.image]
        seen = _summed(weight)
        right = np.cumsum(weight[self.place])
        before = np.concatenate([[0], right])[self.begins[:-1]]
        counted = seen[1:][self.place] - seen[self.first]
        if len(self.ignored):
            aside = _summed(weight[self.ignored])
            counted -= aside[self.ignored_last] - aside[self.ignored_first]
        precision = (right - before[self.segment]) / np.maximum(counted, 1)
        # the running maximum from the right, inside each segment: one by one, because any offset that kept segments
        # apart in a single pass would round, and the average of a resample must be that of its images to the last bit
        highest = np.empty_like(precision)
        for stretch in self._stretches:
            highest[stretch] = np.maximum.accumulate(precision[stretch][::-1])[::-1]
        wanted = before.reshape(self.levels, self.classes, 1) + _needed(objects)
        at = np.searchsorted(right, wanted.ravel()).reshape(wanted.shape)
        reached = at < self.begins[1:].reshape(self.levels, self.classes, 1)
        values: np.ndarray = np.where(reached, highest[np.minimum(at, len(highest) - 1)], 0.0)
        mean: np.ndarray = values.mean(axis=2)
        return mean


def _set(bits: np.ndarray, levels: int) -> tuple[np.ndarray, np.ndarray]:
    """(level, place) of every bit that is set, level after level."""
    places = [np.flatnonzero(bits >> t & 1) for t in range(levels)]
    return np.repeat(np.arange(levels), [len(p) for p in places]), np.concatenate(places)


def _summed(weight: np.ndarray) -> np.ndarray:
    """int64 [d + 1]: the sum before each place."""
    return np.concatenate([[0], np.cumsum(weight)])


def _needed(objects: np.ndarray) -> np.ndarray:
    """int64 [classes, recalls]: the fewest right detections whose recall reaches it, by the same division of floats."""
    total = np.maximum(objects, 1).astype(np.float64)[:, None]
    need = np.ceil(RECALLS * total)
    need -= (need - 1) / total >= RECALLS
    need += need / total < RECALLS
    least: np.ndarray = np.maximum(need, 1).astype(np.int64)
    return least
