"""``train_together``: the loop over candidates, each with its own schedule, guard and stop conditions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from ...core.errors import UsageError
from ..batch import Batch
from ..guard import MOST_SKIPS
from ..loader import Loader
from ..optimizers import rate_at
from ..state import Position
from ..stop import diverged, planned, stop_reason, validation_due
from .learner import StackedLearner
from .shared import SharedLearner

__all__ = ["CandidateTrained", "train_together"]

Learners = StackedLearner | SharedLearner


@dataclass(frozen=True, eq=False)
class CandidateTrained:
    """``reason``: why it ended, in words. ``failed``: it ended because its loss grew or was not finite. ``metric``:
    best validation (0..1), None without one. ``weights``: of that validation, else the last ones.
    """

    reason: str
    failed: bool
    position: Position
    metric: float | None
    weights: dict[str, torch.Tensor] = field(repr=False)


def train_together(
    learner: Learners,
    loader: Loader | Sequence[Loader],
    validate: Callable[[Learners], Sequence[float]] | None = None,
    seconds: float = 0.0,
) -> tuple[CandidateTrained, ...]:
    """Train all candidates until each has met a stop condition of its recipe, or until ``seconds`` are over (0 = no
    limit); one that is done earlier is left as it is. A candidate that diverges ends alone.

    ``loader``: one, whose batches all share, or one each with its own order (equal counts and batch sizes).
    ``validate(learner)``: a metric for each candidate, 0..1, larger is better.
    """
    loaders = [loader] if isinstance(loader, Loader) else list(loader)
    if len(loaders) not in (1, len(learner)) or len({(x.count, x.batch, x.steps) for x in loaders}) > 1:
        raise UsageError(f"{len(loaders)} loaders for {len(learner)} candidates", "Give one, or one each, all alike.")
    return _Together(learner, loaders, len(loaders) == 1 and isinstance(loader, Loader), validate, seconds).run()


class _Together:
    def __init__(
        self, learner: Learners, loaders: list[Loader], shared: bool, validate: Any, seconds: float
    ) -> None:  # fmt: skip
        self.learner, self.loaders, self.shared, self.seconds = learner, loaders, shared, seconds
        self.validate: Callable[[Learners], Sequence[float]] | None = validate
        self.recipes = learner.recipes
        self.plans = [planned(r.stop, loaders[0].steps) for r in self.recipes]
        self.positions = [Position() for _ in self.recipes]
        self.ended: dict[int, tuple[str, bool]] = {}
        self.best: dict[int, dict[str, torch.Tensor]] = {}

    def run(self) -> tuple[CandidateTrained, ...]:
        began = time.monotonic()
        epoch = number = 0
        while len(self.ended) < len(self.recipes):
            for batch in self._batches(epoch):
                self._step(batch, number)
                number += 1
                if self.validate is not None and validation_due(
                    self.recipes[0].validate_every, self.plans[0], number
                ):  # fmt: skip
                    self._validate(self.validate)
                self._end(time.monotonic() - began)
                if len(self.ended) == len(self.recipes):
                    break
            epoch += 1
        return tuple(self._trained(k) for k in range(len(self.recipes)))

    def _batches(self, epoch: int) -> Iterator[Batch | list[Batch]]:
        if self.shared:
            for batch, _ in self.loaders[0].epoch(epoch):
                yield batch
            return
        for parts in zip(*(x.epoch(epoch) for x in self.loaders), strict=True):
            yield [batch for batch, _ in parts]

    def _step(self, batch: Batch | list[Batch], number: int) -> None:
        rates = [rate_at(r, number, p.total) for r, p in zip(self.recipes, self.plans, strict=True)]
        done = self.learner.step(batch, number, rates)
        for k, at in enumerate(self.positions):
            if k in self.ended:
                continue
            self.positions[k] = at.skipped() if done.skips[k] is not None else at.stepped(float(done.losses[k]))

    def _validate(self, validate: Callable[[Learners], Sequence[float]]) -> None:
        for k, metric in enumerate(validate(self.learner)):
            if k in self.ended:
                continue
            self.positions[k], better = self.positions[k].validated(float(metric))
            if better:
                self.best[k] = self.learner.state(k)

    def _end(self, seconds: float) -> None:
        """Retire the candidates that have met a condition."""
        for k, recipe in enumerate(self.recipes):
            if k in self.ended:
                continue
            at = self.positions[k] = replace(self.positions[k], seconds=seconds)
            reason, failed = stop_reason(recipe.stop, self.plans[k], at), False
            if at.skips_in_a_row >= MOST_SKIPS:
                reason, failed = f"{at.skips_in_a_row} steps in a row were not finite", True
            elif diverged(recipe.stop, at):
                reason, failed = f"the loss grew to {at.recent_loss:.3g}, from {at.start_loss:.3g} at the start", True
            elif not reason and self.seconds and seconds >= self.seconds:
                reason = f"the {self.seconds:g} seconds are over"
            if reason:
                self.ended[k] = (reason, failed)
                self.learner.retire(k)

    def _trained(self, k: int) -> CandidateTrained:
        reason, failed = self.ended[k]
        weights = self.best[k] if k in self.best else self.learner.state(k)
        return CandidateTrained(reason, failed, self.positions[k], self.positions[k].best, weights)
