"""Many candidates at once: K networks of one structure in one batch, or in turn on work that they share.

``pays`` says which is faster; ``docs/candidates.md`` where that is.
"""

from __future__ import annotations

from .choice import Pays, learner_for, pays
from .features import FeatureBatches, Features
from .learner import StackedLearner, StackedStep
from .loop import CandidateTrained, train_together
from .shared import SharedLearner, SharedTeacher

__all__ = [
    "CandidateTrained", "FeatureBatches", "Features", "Pays", "SharedLearner", "SharedTeacher", "StackedLearner",
    "StackedStep", "learner_for", "pays", "train_together",
]  # fmt: skip
