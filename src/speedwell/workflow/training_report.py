"""``report.html`` of a training: the curve, the recipe, samples with right and wrong answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..core.evidence import Evidence
from ..core.record import encode
from ..core.signature import Signature
from ..report.training_page import write_training_page
from ..training import batch_maker, evaluated
from ..training.history import read_history
from ..training.recipe import Augment
from .train_data import TrainData
from .training_answers import answered
from .training_boxes import answered_boxes

__all__ = ["write_report"]

LOOKED_AT = 5000
"""Samples among which wrong answers are looked for."""
BATCH = 128


def write_report(
    folder: Path, result: Any, data: TrainData, network: Any, signature: Signature, task: Any, seed: int
) -> Path:
    """Write it into ``folder``. ``result``: a ``TrainResult``; ``network``: in evaluation mode, with the weights that
    are handed over. Samples are of the test set, or of the validation set where there is no other.
    """
    judged = "test" if data.test is not None else "validation"
    whole = data.test if data.test is not None else data.validation
    split = whole.first(LOOKED_AT)
    index = np.arange(len(split))

    def kept(outputs: dict[str, np.ndarray], targets: Any, samples: np.ndarray) -> Any:
        del targets
        return (task.evidence(outputs, split.truth(samples)) if split.has_objects else outputs), samples

    said, _ = evaluated(network, signature, batch_maker(split, Augment()), split, kept, BATCH)
    order = np.argsort(np.concatenate([s for _, s in said]), kind="stable")
    if split.has_objects:
        answers = answered_boxes(split, Evidence.join([e for e, _ in said]).take(order), index, task, data.classes)
    else:
        outputs = {n: np.concatenate([o[n] for o, _ in said])[order] for n in said[0][0]}
        answers = answered(split, outputs, index, task, data.classes, seed)
    recipe = (folder / "recipe.toml").read_text()
    return write_training_page(folder / "report.html", encode(result), read_history(folder), answers, recipe, judged)
