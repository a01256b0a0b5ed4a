"""What one model did on each sample: the raw material of every accuracy claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from .matches import Matches

__all__ = ["KINDS", "Evidence"]

KINDS = ("binary", "score", "matches")
PREFIX = "matches_"


@dataclass(frozen=True, eq=False)
class Evidence:
    """``scores``: float64 [n], one per sample: 1 right / 0 wrong for ``binary``, any finite number for ``score``, the
    image's own average precision for ``matches``, whose metric is that of all images together.

    ``answers``: int64 [n], the model's own answer (top-1 class), or an empty array where there is none;
    disagreement between two models is counted on it, labels or not. ``scores`` is empty where there are no labels.
    ``matches``: of kind ``matches``, what was found in each image; None where only the scores were kept.
    """

    kind: Literal["binary", "score", "matches"]
    scores: np.ndarray
    answers: np.ndarray
    matches: Matches | None = None

    def __len__(self) -> int:
        return max(len(self.scores), len(self.answers))

    def metric(self, index: Sequence[int] | np.ndarray | None = None) -> float:
        """The mean score, or average precision, on all samples or on those of ``index``. Needs at least one score."""
        if self.matches is not None:
            return self.matches.average_precision(index)
        return float((self.scores if index is None else self.scores[np.asarray(index)]).mean())

    def take(self, index: np.ndarray) -> Evidence:
        """The evidence of the samples in ``index`` (ints, may repeat)."""
        return Evidence(
            self.kind,
            self.scores[index] if len(self.scores) else self.scores,
            self.answers[index] if len(self.answers) else self.answers,
            None if self.matches is None else self.matches.take(index),
        )

    def without_matches(self) -> Evidence:
        """The scores alone: small enough for a file that people read."""
        return replace(self, matches=None)

    def without_boxes(self) -> Evidence:
        """All that numbers need, without where things lie in a picture."""
        return self if self.matches is None else replace(self, matches=self.matches.without_boxes())

    def arrays(self) -> dict[str, np.ndarray]:
        """Plain arrays by name, for a file or a pipe; ``of_arrays`` reads them back."""
        matches = {} if self.matches is None else {PREFIX + k: v for k, v in self.matches.arrays().items()}
        return {"scores": self.scores, "answers": self.answers, **matches}

    @staticmethod
    def of_arrays(kind: str, arrays: Mapping[str, np.ndarray]) -> Evidence:
        """Raises ``KeyError`` or ``ValueError`` for what ``arrays`` did not make."""
        if kind not in KINDS:
            raise ValueError(f"evidence of the unknown kind {kind!r}")
        inside = {k.removeprefix(PREFIX): v for k, v in arrays.items() if k.startswith(PREFIX)}
        matches = Matches.of_arrays(inside) if inside else None
        if matches is not None and len(matches) != len(arrays["scores"]):
            raise ValueError(f"{len(matches)} images of matches, {len(arrays['scores'])} scores")
        return Evidence(kind, arrays["scores"], arrays["answers"], matches)  # type: ignore[arg-type]

    @staticmethod
    def join(parts: list[Evidence]) -> Evidence:
        """Several parts of one model's evidence, end to end. ``parts`` must not be empty."""
        found = [p.matches for p in parts if p.matches is not None]
        return Evidence(
            parts[0].kind,
            np.concatenate([p.scores for p in parts]),
            np.concatenate([p.answers for p in parts]),
            Matches.join(found) if len(found) == len(parts) else None,
        )
