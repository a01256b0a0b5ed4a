"""``custom``: the user's own data set and the user's own score per sample."""

from __future__ import annotations

import dataclasses
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from ..core.context import Arrays
from ..core.errors import DataError, JobError, UsageError
from ..core.evidence import Evidence
from ..core.model import Model
from ..inputs import ArrayTransform, Samples, Transform, as_numbers, read_live
from .classification import class_scores
from .image_settings import image_transform, sample_image_options
from .reading import class_names, read_data
from .reference import resolve
from .text_settings import text_transform

__all__ = ["Custom"]

Function = str | Callable[..., Any]


@dataclass(frozen=True)
class Custom:
    """Configured by options, each a "module:function", a "file.py:function" or a callable:

    - ``score(outputs, targets) -> [n]``: one finite number per sample, larger is better, any range. ``outputs``: numpy
      arrays by output name, first axis = batch; ``targets``: int64 [n], or float64 [n] with target "number".
    - ``dataset(data) -> (input, target) pairs`` (optional): a Dataset, list or iterable made from the data argument.
    - ``loss(outputs, targets)`` (optional): torch, for training.

    ``target``: "class" (class numbers, names, or row numbers that ``score`` looks up itself) or "number" (reals).
    ``inputs``: "image", "text" or "arrays": how raw samples become inputs; else by the options and the model's hints.
    """

    name: ClassVar[str] = "custom"
    paired_test: ClassVar[Literal["score", "bootstrap"]] = "bootstrap"
    metric_name: ClassVar[str] = "score"

    score: Function | None = None
    dataset: Function | None = None
    training_loss: Function | None = None
    target: Literal["class", "number"] = "class"

    def configured(self, options: Mapping[str, Any]) -> Custom:
        """The task with the user's functions; each is imported once here, so that a wrong name is told early."""
        target = options.get("target") or self.target
        if target not in ("class", "number"):
            raise UsageError(f"target is {target!r}", 'Use "class" or "number".')
        made = dataclasses.replace(
            self,
            score=options.get("score") or self.score,
            dataset=options.get("dataset") or self.dataset,
            training_loss=options.get("loss") or self.training_loss,
            target=target,
        )
        for function, what in ((made.score, "score"), (made.dataset, "dataset"), (made.training_loss, "loss")):
            if function is not None:
                resolve(function, what)
        return made

    def read(self, data: Any, options: Mapping[str, Any]) -> Samples:
        """Samples of ``dataset(data)``, or of ``data`` read as any other task reads it."""
        dataset = options.get("dataset") or self.dataset
        if dataset is not None:
            data = resolve(dataset, "dataset")(data)
        if (options.get("target") or self.target) == "number":
            return read_live(data, numbers=True)
        if dataset is not None and not isinstance(data, Samples):
            return read_live(data, class_names(options.get("classes")))
        return read_data(data, options)

    def transform(self, model: Model, options: Mapping[str, Any]) -> Transform:
        """By ``options["inputs"]``; else text where a tokenizer is known, images where the model says it takes them,
        else the arrays as the data set gives them.
        """
        hints = model.origin.hints
        kind = options.get("inputs")
        if kind is None:
            kind = (
                "text" if options.get("tokenizer") or hints.get("text") else "image" if hints.get("image") else "arrays"
            )
        if kind == "text":
            return text_transform(model, options)
        if kind == "image":
            return image_transform(model, options)
        if kind == "arrays":
            return ArrayTransform(model.signature.inputs)
        raise UsageError(f"inputs is {kind!r}", "Use image, text or arrays.")

    def sample_options(self, samples: Samples) -> dict[str, Any]:
        """What image samples say of their size, for ``transform``; empty for anything else."""
        if not len(samples) or not isinstance(samples[0].raw, (bytes, np.ndarray)):
            return {}
        seen = sample_image_options(samples)
        return {"samples": seen} if seen else {}

    def evidence(self, outputs: Arrays, targets: np.ndarray) -> Evidence:
        """The user's scores, float64 [n]; answers = top-1 where an output has class scores, else none.

        Raises ``UsageError`` without a score function or for a result of another shape, ``JobError`` ("not finite").
        """
        if self.score is None:
            raise UsageError("the custom task has no score function", "Name it with --score module:function.")
        targets = np.asarray(targets, np.int64)
        given = as_numbers(targets) if self.target == "number" else targets
        function = resolve(self.score, "score")
        try:
            result = np.asarray(function(dict(outputs), given))
        except Exception as error:  # the user's function may raise anything
            where = traceback.extract_tb(error.__traceback__)[-1]
            raise UsageError(
                f"the score function failed: {type(error).__name__}: {error} ({where.filename}:{where.lineno})",
                "It is called with the outputs as arrays by name, and the targets of as many samples.",
            ) from error
        if result.shape != (len(targets),) or result.dtype.kind not in "fiub":
            raise UsageError(
                f"the score function returned {result.dtype} {list(result.shape)} for {len(targets)} samples",
                "Return one number per sample.",
            )
        scores = result.astype(np.float64)
        if not np.isfinite(scores).all():
            raise JobError(f"{int((~np.isfinite(scores)).sum())} score(s) are NaN or infinite", kind="not finite")
        return Evidence("score", scores, _answers(outputs, len(targets)))

    def metric(self, evidence: Evidence, index: np.ndarray | None = None) -> float:
        """The mean score, on all samples or on those of ``index``, in the score's own range."""
        scores = evidence.scores if index is None else evidence.scores[index]
        if not len(scores):
            raise DataError("there is no score to average", "Give at least one sample.")
        return float(scores.mean())

    def loss(self, outputs: Any, targets: Any) -> Any:
        """The user's loss. Raises ``UsageError`` where none was named."""
        if self.training_loss is None:
            raise UsageError("the custom task has no loss", "Name it with the option loss: module:function.")
        return resolve(self.training_loss, "loss")(outputs, targets)


def _answers(outputs: Arrays, count: int) -> np.ndarray:
    try:
        scores = class_scores(outputs, "", count)
    except JobError:
        return np.zeros(0, np.int64)  # not a classifier: nothing to count disagreement on
    if scores.ndim != 2 or not np.isfinite(scores).all():
        return np.zeros(0, np.int64)
    answers: np.ndarray = scores.argmax(axis=1).astype(np.int64)
    return answers
