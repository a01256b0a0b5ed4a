"""``TrainResult``: what a training came to, as a record that its folder keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import ResumeError
from ..core.record import decode
from ..training.private.accountant import Spent

__all__ = ["RESULT", "TrainResult", "read_result"]

RESULT = "result.json"


@dataclass(frozen=True)
class TrainResult:
    """What a training came to; also ``result.json`` in its folder.

    ``metric``: its name; ``validation``, ``test``: 0..1, None where there was none; ``test_low``, ``test_high``: the
    two-sided 95 % interval of the test score; ``counts``: samples by split. Milliseconds of a step and operations:
    ``forward`` and ``backward`` operations are those of one sample. ``precision``: what layers computed in.
    ``skipped``: steps that the guard left out.
    ``epsilon``, ``privacy``: of private training, else None.
    """

    folder: Path
    network: str
    task: str
    metric: str
    validation: float | None
    test: float | None
    test_low: float | None
    test_high: float | None
    counts: Mapping[str, int]
    classes: tuple[str, ...]
    parameters: int
    epochs: float
    steps: int
    seconds: float
    samples_per_second: float
    forward_ms: float
    backward_ms: float
    update_ms: float
    forward_operations: int
    backward_operations: int
    update_operations: int
    reason: str
    precision: str
    skipped: tuple[str, ...] = ()
    epsilon: float | None = None
    privacy: Spent | None = None

    @property
    def model(self) -> Path:
        """The folder that ``speedwell accelerate`` opens."""
        return self.folder / "model"


def read_result(folder: Path) -> TrainResult:
    """What a finished training in ``folder`` came to. Raises ``ResumeError`` where it has not finished."""
    try:
        found: TrainResult = decode(TrainResult, json.loads((folder / RESULT).read_text()))
        return found
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResumeError(
            f"{folder} holds no finished training: {error}", f"Go on with: speedwell train --resume {folder}"
        ) from error
