"""``train --learning-curve``: the same recipe on growing parts of the data, and what twice the data would bring."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from ..core.atomic import write_atomic
from ..core.errors import UsageError
from ..core.record import encode
from ..training.curve import SHARES, LearningCurve, fit_curve
from .train import run_training
from .train_result import RESULT, TrainResult, read_result
from .train_settings import TrainSettings

__all__ = ["run_curve"]

LEAST = 16
"""Training samples below which a part says nothing."""


def run_curve(settings: TrainSettings, folder: Path, watch: Any = None) -> LearningCurve:
    """Train on each share of ``SHARES`` (the last one is all of the data) in ``folder/<share>``; those that are there
    already are not trained again, so a stopped curve is gone on with by the same call. Writes
    ``folder/learning-curve.json``.

    Every part is trained for as many epochs as the recipe says and judged on the same samples: the test set, or the
    validation set where there is none. Raises ``UsageError`` for several processes and for too little data.
    """
    if settings.processes > 1:
        raise UsageError("a learning curve is trained in one process", "Leave --processes out.")
    results: list[TrainResult] = []
    for share in SHARES:
        place = folder / f"{share:.4f}"
        if (place / RESULT).is_file():
            results.append(read_result(place))
            continue
        if watch is not None:
            watch.note(f"training on {share:.4g} of the data")
        part = dataclasses.replace(settings, share=share)
        done = run_training(part, place, (place / "train.json").is_file(), watch)
        assert done is not None, "one process"
        results.append(done)
    useful = [r for r in results if r.counts["train"] >= LEAST]
    split = "test" if useful and useful[-1].test is not None else "validation"
    scores = [r.test if split == "test" else r.validation for r in useful]
    curve = fit_curve(
        [r.counts["train"] for r in useful],
        [1 - s for s in scores if s is not None],
        useful[-1].counts[split] if useful else 0,
        int(useful[-1].steps) if useful else 0,
    )
    write_atomic(folder / "learning-curve.json", (json.dumps(encode(curve), indent=1) + "\n").encode())
    return curve
