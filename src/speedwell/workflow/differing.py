"""The confirmation samples on which original and winner answer differently."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.errors import RunError
from ..core.evidence import Evidence
from ..inputs import EncodedSplit
from ..report import ShownSample
from .differing_boxes import shown_boxes
from .kept_answers import kept_answers, prepared_of
from .prepared import Prepared
from .run_folder import RunFolder
from .seen import seen

__all__ = ["Differing", "differing_of", "shown_samples"]

MOST_SHOWN = 24


@dataclass(frozen=True, eq=False)
class Differing:
    """``index``: positions in the confirmation split; ``original``, ``winner``: the evidence of both on all of it."""

    prepared: Prepared
    split: EncodedSplit
    original: Evidence
    winner: Evidence
    index: np.ndarray

    def name(self, answer: int) -> str:
        """A class by name, else by number."""
        classes = self.prepared.data.classes or tuple(self.prepared.model.origin.hints.get("classes") or ())
        return classes[answer] if 0 <= answer < len(classes) else str(answer)


def differing_of(folder: RunFolder) -> Differing:
    """Read a finished run. Raises ``RunError`` where nothing was confirmed, or answers cannot be compared."""
    prepared = prepared_of(folder)
    original, winner = kept_answers(folder, prepared)
    if original.kind == "matches":
        raise RunError(
            "average precision takes the boxes of every picture, not only of those on which the two differ",
            "Label pictures in COCO or VOC form and start a new run with them as --confirmation.",
        )
    if not len(original.answers):
        raise RunError("the task's outputs are no classes, so answers cannot be compared one by one")
    split = EncodedSplit.open(prepared.folder / "confirmation")
    return Differing(prepared, split, original, winner, np.flatnonzero(original.answers != winner.answers))


def shown_samples(folder: RunFolder) -> list[ShownSample]:
    """At most ``MOST_SHOWN`` of them with both answers, as a person sees them; of object detection the pictures on
    which the two differ most. They are the user's data.
    """
    try:
        prepared = prepared_of(folder)
        if prepared.data.task == "object-detection":
            return shown_boxes(folder, prepared)
        found = differing_of(folder)
    except RunError:
        return []
    samples = []
    for i in found.index[:MOST_SHOWN].tolist():
        target = int(found.split.targets[i])
        samples.append(
            ShownSample(
                original=found.name(int(found.original.answers[i])),
                winner=found.name(int(found.winner.answers[i])),
                truth=found.name(target) if target >= 0 else "",
                **seen(found.split, i),
            )
        )
    return samples
