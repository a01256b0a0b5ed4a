"""Samples of the judged split that a trained network got wrong, surest first, and some that it got right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..inputs import EncodedSplit
from ..report import ShownSample
from ..report.training_page import Answered
from ..tasks import class_scores
from .seen import seen

__all__ = ["answered"]

MOST = 12
"""Of each kind."""
SIDE = 160
"""Pixels on the page, of a picture that has fewer."""


def answered(
    split: EncodedSplit, outputs: dict[str, np.ndarray], index: np.ndarray, task: Any, classes: Sequence[str], seed: int
) -> list[Answered]:
    """At most ``MOST`` wrong and as many right answers. ``outputs``: of the samples ``index`` of ``split``, in order.
    ``seed`` chooses the right ones. Empty for a task whose answers are no classes.
    """
    if task.name not in ("image-classification", "text-classification"):
        return []
    scores = class_scores(outputs, task.output, len(index))
    if scores.ndim == 1:
        scores = np.stack([np.full(len(scores), task.threshold), scores], axis=1)
    answers = scores.argmax(axis=1)
    sure = _softmax(scores)[np.arange(len(scores)), answers]
    targets = split.targets[index]
    wrong = np.flatnonzero(answers != targets)
    right = np.flatnonzero(answers == targets)
    chosen = [
        *wrong[np.argsort(-sure[wrong], kind="stable")][:MOST].tolist(),
        *np.random.default_rng(seed).permutation(right)[:MOST].tolist(),
    ]

    def name(label: int) -> str:
        return classes[label] if 0 <= label < len(classes) else str(label)

    return [
        Answered(
            ShownSample(
                original="",
                winner=f"{name(int(answers[k]))}, {100 * sure[k]:.0f} %",
                truth=name(int(targets[k])),
                **_shown(split, int(index[k])),
            ),
            bool(answers[k] == targets[k]),
        )
        for k in chosen
    ]


def _softmax(scores: np.ndarray) -> np.ndarray:
    exponents = np.exp(scores.astype(np.float64) - scores.max(axis=1, keepdims=True))
    made: np.ndarray = exponents / exponents.sum(axis=1, keepdims=True)
    return made


def _shown(split: EncodedSplit, i: int) -> dict[str, Any]:
    """With the name of a picture beside it."""
    return {"text": split.origins[i], **seen(split, i, SIDE)}
