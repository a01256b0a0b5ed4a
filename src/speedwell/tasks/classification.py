"""What image and text classification share: which output is the answer, right or wrong, the metric, the loss."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np

from ..core.context import Arrays
from ..core.errors import DataError, JobError, LabelMismatchError, UsageError
from ..core.evidence import Evidence
from ..inputs import Samples
from .reading import beyond, read_data, require_classes

__all__ = ["Classification", "class_scores"]

Self = TypeVar("Self", bound="Classification")


@dataclass(frozen=True)
class Classification:
    """Top-1: the answer is the class of the largest score; ties go to the lower number.

    The scores are the output named ``output``, else the first float output [N, C]. A single column, [N, 1] or [N], is a
    binary model: class 1 iff its value is above ``threshold``. It is 0, for logits, unless declared otherwise: 0.5 fits
    a sigmoid. It is never inferred from values: logits may well lie within 0..1 (``doubts`` says so).
    """

    name: ClassVar[str]
    paired_test: ClassVar[Literal["score", "bootstrap"]] = "score"
    metric_name: ClassVar[str] = "accuracy"

    threshold: float = 0.0
    output: str = ""

    def configured(self: Self, options: Mapping[str, Any]) -> Self:
        """The same task with the user's ``threshold`` and ``output``. Raises ``UsageError`` for a bad value."""
        threshold = options.get("threshold", self.threshold)
        if isinstance(threshold, bool) or not isinstance(threshold, (int, float)) or not np.isfinite(threshold):
            raise UsageError(f"threshold is {threshold!r}", "Give a number: 0 for logits, 0.5 for probabilities.")
        return dataclasses.replace(self, threshold=float(threshold), output=str(options.get("output") or self.output))

    def read(self, data: Any, options: Mapping[str, Any]) -> Samples:
        """Samples with class numbers (see ``read_data`` for data and options). Raises ``SingleClassError`` too, and
        ``DataError`` for data with boxes: a picture of several objects has no one class.
        """
        samples = read_data(data, options)
        if samples.has_objects:
            raise DataError("the data holds boxes, not one class a picture", "Use --task object-detection.")
        return require_classes(samples)

    def evidence(self, outputs: Arrays, targets: np.ndarray) -> Evidence:
        """1 right, 0 wrong per sample, and the answers. No scores where no sample has a label.

        Raises ``LabelMismatchError`` for a label beyond the outputs, ``DataError`` where only some have a label,
        ``JobError`` ("not finite", "wrong shape") for outputs that are no answer.
        """
        targets = np.asarray(targets)
        scores = class_scores(outputs, self.output, len(targets))
        if not np.isfinite(scores).all():
            bad = int((~np.isfinite(scores)).reshape(len(scores), -1).any(axis=1).sum())
            raise JobError(f"the outputs of {bad} of {len(scores)} samples are NaN or infinite", kind="not finite")
        if scores.ndim == 1:
            answers, count = (scores > self.threshold).astype(np.int64), 2
        else:
            answers, count = scores.argmax(axis=1).astype(np.int64), scores.shape[1]
        labelled = targets >= 0
        if not labelled.any():
            return Evidence("binary", np.zeros(0), answers)
        if not labelled.all():
            raise DataError(f"{int((~labelled).sum())} of {len(targets)} samples have no label", "Label all or none.")
        if int(targets.max()) >= count:
            raise LabelMismatchError(*beyond(int(targets.max()), count))
        return Evidence("binary", (answers == targets).astype(np.float64), answers)

    def metric(self, evidence: Evidence, index: np.ndarray | None = None) -> float:
        """Accuracy in 0..1, on all samples or on those of ``index``. Raises ``DataError`` without labels."""
        scores = evidence.scores if index is None else evidence.scores[index]
        if not len(scores):
            raise DataError("there is no label to compute accuracy with", "Use --agree, or label the data.")
        return float(scores.mean())

    def loss(self, outputs: Any, targets: Any) -> Any:
        """Mean cross-entropy of torch outputs (a tensor, or tensors by name) and class numbers [N]."""
        from torch.nn import functional

        found = outputs
        if isinstance(outputs, Mapping):
            ranked = [o for o in outputs.values() if o.ndim in (1, 2) and o.is_floating_point()]
            found = outputs[self.output] if self.output else next(iter([o for o in ranked if o.ndim == 2] or ranked))
        if found.ndim == 1 or found.shape[1] == 1:
            flat, wanted = found.reshape(-1), targets.to(found.dtype)
            if self.threshold == 0.5:
                return functional.binary_cross_entropy(flat, wanted)
            return functional.binary_cross_entropy_with_logits(flat, wanted)
        return functional.cross_entropy(found, targets)

    def doubts(self, outputs: Arrays, targets: np.ndarray) -> list[str]:
        """In words, what looks wrong with the original's own answers (at least some hundred samples tell most)."""
        targets = np.asarray(targets)
        scores = class_scores(outputs, self.output, len(targets))
        found = []
        if scores.ndim == 1 and self.threshold == 0 and len(scores) and scores.min() >= 0 and scores.max() <= 1:
            found.append("the model's one output lies within 0..1: if it is a probability, declare threshold 0.5")
        evidence = self.evidence(outputs, targets)
        if len(evidence.answers) >= 20 and len(set(evidence.answers.tolist())) == 1:
            found.append(
                f"the model answers class {int(evidence.answers[0])} for every sample: check the preprocessing"
            )
        if len(evidence.scores) >= 100:
            classes = max(2, 2 if scores.ndim == 1 else scores.shape[1])
            chance = max(1 / classes, float(np.bincount(targets).max()) / len(targets))
            if (accuracy := self.metric(evidence)) <= chance:
                found.append(
                    f"the original is right on {accuracy:.1%} of the samples, no more than a guess ({chance:.1%}): "
                    "check the preprocessing and the order of the classes"
                )
        return found


def class_scores(outputs: Arrays, name: str, count: int) -> np.ndarray:
    """Scores [N, C] with C >= 2, or [N] of a binary model. Raises ``JobError`` where no output has such a shape."""
    if name and name not in outputs:
        raise UsageError(f"the model has no output {name!r}", f"It has: {', '.join(outputs)}.")
    shown = ", ".join(f"{n} {a.dtype} {list(a.shape)}" for n, a in outputs.items())
    chosen = {name: outputs[name]} if name else outputs
    floats = [_squeezed(np.asarray(a)) for a in chosen.values() if np.asarray(a).dtype.kind == "f"]
    table = next((a for a in floats if a.ndim == 2 and a.shape[1] >= 2), None)
    if table is None:
        table = next((a.reshape(-1) for a in floats if a.ndim == 1 or (a.ndim == 2 and a.shape[1] == 1)), None)
    if table is None or len(table) != count:
        raise JobError(
            f"no output holds one row of class scores for each of {count} samples: {shown}", kind="wrong shape"
        )
    return table


def _squeezed(array: np.ndarray) -> np.ndarray:
    """[N, C, 1, 1], as convolutional heads give it, is [N, C]."""
    while array.ndim > 2 and array.shape[-1] == 1:
        array = array[..., 0]
    return array
