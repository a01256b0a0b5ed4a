"""Object detection: pictures in, boxes with a class and a score out, judged by average precision."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np

from ..core.context import Arrays
from ..core.errors import DataError, LabelMismatchError, UsageError
from ..core.evidence import Evidence
from ..core.matches import LEVELS
from ..core.model import Model
from ..inputs import ImageTransform, LetterboxTransform, Objects, Samples
from .boxes import Detections, Reader, detection_settings, matched, parse_detection, reader_of
from .image_settings import sample_image_options
from .letterbox_settings import detection_transform
from .reading import read_data

__all__ = ["ObjectDetection"]

METRICS = {"AP": LEVELS, "AP50": LEVELS[:1]}
LEAST_DOUBTED = 20


@dataclass(frozen=True)
class ObjectDetection:
    """``detection``: how the outputs are read (see docs/detection.md), plain JSON; a model brings its own as hints.

    ``metric``: "AP", the mean over IoU 0.50 to 0.95 as COCO has it, or "AP50". Boxes are compared in pixels of the
    network's input, cut at the picture's edge: stretching both axes changes no overlap.
    """

    name: ClassVar[str] = "object-detection"
    paired_test: ClassVar[Literal["score", "bootstrap"]] = "bootstrap"

    detection: Mapping[str, Any] = field(default_factory=dict)
    metric_kind: str = "AP"

    @property
    def metric_name(self) -> str:
        return self.metric_kind

    @property
    def reader(self) -> Reader:
        """Raises ``UsageError`` where nothing says how the outputs are read."""
        return reader_of(self.detection)

    def configured(self, options: Mapping[str, Any]) -> ObjectDetection:
        """The task with the user's ``detection`` and ``metric``. Raises ``UsageError`` for what they cannot be."""
        kind = options.get("metric") or self.metric_kind
        if kind not in METRICS:
            raise UsageError(f"metric is {kind!r}", f"Use one of: {', '.join(METRICS)}.")
        said = parse_detection(options.get("detection"))
        return dataclasses.replace(self, detection={**self.detection, **said}, metric_kind=str(kind))

    def of_model(
        self, model: Model, options: Mapping[str, Any], size: tuple[int, int] | None = None
    ) -> ObjectDetection:
        """With what the model itself says of its outputs. ``size``: height and width that it is fed."""
        return dataclasses.replace(self, detection=detection_settings(model, options, size))

    def read(self, data: Any, options: Mapping[str, Any]) -> Samples:
        """Pictures with boxes (see ``read_data``). Raises ``DataError`` where there are none."""
        samples = read_data(data, options)
        if not samples.has_objects:
            raise DataError(
                "the data holds no boxes",
                "Give COCO JSON, a Pascal VOC folder, a folder with metadata.jsonl, or (image, {boxes, labels}) pairs; "
                "or name another --task.",
            )
        if not any(len(samples.objects(i) or ()) for i in range(len(samples))):
            raise DataError(
                f"none of {len(samples)} pictures has an object", "Average precision needs objects to find."
            )
        return samples

    def transform(self, model: Model, options: Mapping[str, Any]) -> LetterboxTransform | ImageTransform:
        """See ``detection_transform``: options, then the model's hints, its signature, the samples, defaults."""
        return detection_transform(model, options)

    def sample_options(self, samples: Samples) -> dict[str, Any]:
        """{"samples": {...}}: what the pictures say of sizes, for ``transform``; empty where they differ."""
        seen = sample_image_options(samples)
        return {"samples": seen} if seen else {}

    def found(self, outputs: Arrays, windows: Sequence[tuple[float, float, float, float]]) -> list[Detections]:
        """What was found in each picture, in input pixels, cut at its window. Raises ``JobError``, ``UsageError``."""
        found = self.reader.read(outputs, len(windows))
        return [one.clipped(window) for one, window in zip(found, windows, strict=True)]

    def evidence(self, outputs: Arrays, targets: Any) -> Evidence:
        """Evidence of kind "matches". ``targets``: a sequence of ``Objects``, as ``EncodedSplit.truth`` gives them.

        Raises ``LabelMismatchError`` for a class beyond the outputs, ``DataError`` for class numbers without boxes,
        ``JobError`` ("not finite", "wrong shape") for outputs that are no boxes.
        """
        truth = self._objects(targets)
        top = max((int(o.classes.max(initial=-1)) for o in truth), default=-1)
        found = self.found(outputs, [o.window for o in truth])
        classes = self.reader.head.classes(outputs)
        if classes and top >= classes:
            raise LabelMismatchError(
                f"label {top} is beyond the model's {classes} classes (0 to {classes - 1})",
                "Check that the data is this model's, or give class names in the order of its outputs with --classes.",
            )
        return matched(found, truth, METRICS[self.metric_kind])

    def metric(self, evidence: Evidence, index: np.ndarray | None = None) -> float:
        """AP or AP50 in 0..1, on all pictures or on those of ``index``; 0 where they hold no object.

        Raises ``DataError`` for evidence without matches.
        """
        if evidence.matches is None:
            raise DataError("there are no matches to compute average precision with", "Evaluate the model again.")
        return evidence.metric(index)

    def loss(self, outputs: Any, targets: Any) -> Any:
        """Class numbers cannot train a detector: its loss takes boxes, and lives with the training."""
        del outputs, targets
        raise UsageError(
            "object detection has no loss of outputs and class numbers",
            "Use speedwell.training.losses.detection, which takes boxes.",
        )

    def doubts(self, outputs: Arrays, targets: Any) -> list[str]:
        """In words, what looks wrong with the original's own answers."""
        return self.evidence_doubts(self.evidence(outputs, targets))

    def evidence_doubts(self, evidence: Evidence) -> list[str]:
        """The same from evidence, which is small where the outputs of some hundred pictures are not."""
        matches = evidence.matches
        if matches is None or len(matches) < LEAST_DOUBTED or not len(matches.objects):
            return []
        if not len(matches.scores):
            return [
                f"the model finds nothing in {len(matches)} pictures: check the preprocessing, and how its outputs are "
                "read (--option detection=...)"
            ]
        first = {"levels": matches.levels[:1], "hits": matches.hits & 1, "ignored": matches.ignored & 1}
        if (score := dataclasses.replace(matches, **first).average_precision()) >= 0.05:
            return []
        return [
            f"the original finds next to nothing ({score:.1%} AP50 on {len(matches)} pictures): check the "
            "preprocessing, the order of the classes, and how its outputs are read (--option detection=...)"
        ]

    @staticmethod
    def _objects(targets: Any) -> tuple[Objects, ...]:
        truth = tuple(targets) if isinstance(targets, (tuple, list)) else ()
        if not truth or not all(isinstance(o, Objects) for o in truth):
            raise DataError(
                f"the truth is a {type(targets).__name__}, not the objects of each picture", "Label all pictures."
            )
        return truth
