"""What original and winner answered on the confirmation split, as a run keeps it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..core.errors import RunError
from ..core.evidence import Evidence
from ..core.record import decode
from .confirming import scores_path
from .prepared import Prepared
from .run_folder import RunFolder

__all__ = ["answer_arrays", "kept_answers", "prepared_of"]

KINDS = {"custom": "score", "object-detection": "matches"}


def answer_arrays(evidence: Mapping[str, Evidence]) -> dict[str, np.ndarray]:
    """For the file of ``scores_path``: the evidence by "original" and "winner"."""
    return {f"{who}_{name}": array for who, e in evidence.items() for name, array in e.arrays().items()}


def prepared_of(folder: RunFolder) -> Prepared:
    """The facts of a run that confirmed something. Raises ``RunError`` for one that did not."""
    if not scores_path(folder.path).is_file():
        raise RunError(
            f"{folder.path} confirmed nothing yet", f"speedwell accelerate --resume {folder.path} --confirm-now"
        )
    prepared: Prepared = decode(Prepared, folder.require("run.json")["prepared"])
    return prepared


def kept_answers(folder: RunFolder, prepared: Prepared) -> tuple[Evidence, Evidence]:
    """Of original and winner. Raises ``RunError`` where there is no winner."""
    with np.load(scores_path(folder.path), allow_pickle=False) as arrays:
        if "winner_answers" not in arrays:
            raise RunError(
                f"{folder.path} has no winner to compare with", "Only a run with a finalist has differences."
            )
        kind = KINDS.get(prepared.data.task, "binary")
        original, winner = (
            Evidence.of_arrays(
                kind, {n.removeprefix(f"{who}_"): arrays[n] for n in arrays.files if n.startswith(f"{who}_")}
            )
            for who in ("original", "winner")
        )
    return original, winner
