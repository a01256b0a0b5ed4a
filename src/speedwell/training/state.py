"""``Position`` and everything else that a stopped training needs to go on bit for bit: tensors and plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from ..core.errors import ResumeError
from .learner import Learner
from .sharding import like, whole

__all__ = ["Position", "learner_state", "load_learner"]


FIRST_UPDATES = 5
"""Over so many the loss of the start is taken."""


@dataclass(frozen=True)
class Position:
    """Where a training is. ``step``: steps begun so far, skipped ones too; of epoch ``step // steps_per_epoch``.

    Order, augmentation and every random number of a step follow from the seed and the step alone (``order.py``,
    ``learner.py``), so no generator's state is kept. ``best``: the best validation metric; ``since_best``: validations
    since; ``start_loss``: mean of the first losses, for the divergence test; ``skips_in_a_row``; ``parts``: pieces a
    batch is computed in; ``seconds``: of training so far, over all sittings.
    """

    step: int = 0
    best: float | None = None
    best_step: int = 0
    since_best: int = 0
    start_loss: float | None = None
    recent_loss: float | None = None
    skips: int = 0
    skips_in_a_row: int = 0
    parts: int = 1
    updates: int = 0
    seconds: float = 0.0

    def skipped(self) -> Position:
        """After a step that was left out."""
        return replace(self, step=self.step + 1, skips=self.skips + 1, skips_in_a_row=self.skips_in_a_row + 1)

    def stepped(self, loss: float | None) -> Position:
        """After an update at ``loss``, which is None where nobody is to see it."""
        recent = loss if self.recent_loss is None or loss is None else 0.9 * self.recent_loss + 0.1 * loss
        start = recent if self.updates < FIRST_UPDATES else self.start_loss
        return replace(
            self, step=self.step + 1, updates=self.updates + 1, recent_loss=recent, start_loss=start, skips_in_a_row=0
        )

    def validated(self, metric: float) -> tuple[Position, bool]:
        """(the position after a validation, whether it is the best so far)."""
        if self.best is None or metric > self.best:
            return replace(self, best=metric, best_step=self.step, since_best=0), True
        return replace(self, since_best=self.since_best + 1), False


def learner_state(learner: Learner) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """(tensors by name, facts): network, optimizer and average. Tensors are the live ones, not copies."""
    tensors = {f"network.{n}": whole(v) for n, v in learner.network.state_dict().items()}
    scalars: dict[str, dict[str, Any]] = {}
    for number, slots in learner.optimizer.state_dict()["state"].items():
        for key, value in slots.items():
            if isinstance(value, torch.Tensor):
                tensors[f"optimizer.{number}.{key}"] = whole(value)
            elif value is not None:
                scalars.setdefault(str(number), {})[key] = value
    if learner.average is not None:
        tensors |= {f"average.{n}": whole(v) for n, v in learner.average.values.items()}
    averaged = learner.average.updates if learner.average else 0
    return tensors, {
        "optimizer": scalars,
        "averaged": averaged,
        "precision": learner.precision,
        "learner": learner.facts(),
    }


def load_learner(learner: Learner, tensors: Mapping[str, torch.Tensor], facts: Mapping[str, Any]) -> None:
    """Put back what ``learner_state`` gave. Raises ``ResumeError`` where it is of another network or optimizer."""
    try:
        here = learner.network.state_dict()
        network = {n: like(v, here.get(n)) for n, v in _under("network.", tensors).items()}
        learner.network.load_state_dict(network, strict=True)
        described = learner.optimizer.state_dict()
        slots: dict[int, dict[str, Any]] = {}
        for name, value in _under("optimizer.", tensors).items():
            number, _, key = name.partition(".")
            slots.setdefault(int(number), {})[key] = like(value, learner.numbered[int(number)])
        for number, scalars in facts["optimizer"].items():
            slots.setdefault(int(number), {}).update(scalars)
        described["state"] = slots
        learner.optimizer.load_state_dict(described)
        if learner.average is not None:
            kept = _under("average.", tensors)
            for name, value in learner.average.values.items():
                value.copy_(like(kept[name], value))
            learner.average.updates = int(facts["averaged"])
        if learner.recipe.precision == "auto":
            learner.precision = facts["precision"]
        learner.load_facts(facts["learner"])
    except (KeyError, RuntimeError, ValueError) as error:
        raise ResumeError(
            f"the checkpoint does not fit this network and recipe: {str(error).splitlines()[0]}",
            "Resume with the same network, recipe and version, or start a new run.",
        ) from error


def _under(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
