"""What one model did on each sample: the raw material of every accuracy claim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

__all__ = ["Evidence"]


@dataclass(frozen=True, eq=False)
class Evidence:
    """``scores``: float64 [n], one per sample: 1 right / 0 wrong for ``binary``, any finite number for ``score``.

    ``answers``: int64 [n], the model's own answer (top-1 class), or an empty array where there is none;
    disagreement between two models is counted on it, labels or not. ``scores`` is empty where there are no labels.
    """

    kind: Literal["binary", "score"]
    scores: np.ndarray
    answers: np.ndarray

    def __len__(self) -> int:
        return max(len(self.scores), len(self.answers))

    def take(self, index: np.ndarray) -> Evidence:
        """The evidence of the samples in ``index`` (ints, may repeat)."""
        return Evidence(
            self.kind,
            self.scores[index] if len(self.scores) else self.scores,
            self.answers[index] if len(self.answers) else self.answers,
        )

    @staticmethod
    def join(parts: list[Evidence]) -> Evidence:
        """Several parts of one model's evidence, end to end. ``parts`` must not be empty."""
        return Evidence(
            parts[0].kind,
            np.concatenate([p.scores for p in parts]),
            np.concatenate([p.answers for p in parts]),
        )
