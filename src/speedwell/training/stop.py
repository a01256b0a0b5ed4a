"""When training ends: each condition a function of the recipe and the position, with its reason in words."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .recipe import Stop
from .state import Position

__all__ = ["Plan", "diverged", "planned", "stop_reason", "validation_due"]


@dataclass(frozen=True)
class Plan:
    """``total``: steps until the schedule ends; ``per_epoch``: steps an epoch. Fixed once, kept with the run."""

    total: int
    per_epoch: int

    @property
    def epochs(self) -> float:
        return self.total / self.per_epoch


SAFETY = 0.97
"""Of the time left: the last validation must fit as well."""


def planned(
    stop: Stop, per_epoch: int, seconds_per_step: float | None = None, spent: float = 0.0, done: int = 0
) -> Plan:
    """The steps that the recipe asks for; with ``seconds_per_step`` (measured, validations included) no more than what
    fits into ``stop.minutes`` after ``spent`` seconds and ``done`` steps.
    """
    total = math.ceil(stop.epochs * per_epoch) if stop.epochs else stop.steps
    if stop.steps:
        total = min(total, stop.steps)
    if stop.minutes and seconds_per_step:
        left = max(0.0, 60 * stop.minutes - spent) * SAFETY
        total = min(total, done + int(left / seconds_per_step))
    return Plan(max(1, total), per_epoch)


def validation_due(every: float, plan: Plan, step: int) -> bool:
    """Whether a validation comes after ``step`` steps: each ``every`` epochs (0 = never between), and at the end."""
    steps = max(1, round(every * plan.per_epoch)) if every else 0
    return step >= plan.total or bool(steps and step % steps == 0)


def stop_reason(stop: Stop, plan: Plan, position: Position) -> str:
    """Why training ends here, in words; "" to go on."""
    if stop.target and position.best is not None and position.best >= stop.target:
        return f"the target {stop.target:.1%} is reached"
    if position.step >= plan.total:
        return f"all {plan.total:,} steps are done ({plan.epochs:.3g} epochs)"
    if stop.minutes and position.seconds >= 60 * stop.minutes:
        return f"the {stop.minutes:g} minutes are over"
    if stop.patience and position.since_best >= stop.patience:
        return f"no better validation for {position.since_best} times (best at step {position.best_step:,})"
    return ""


def diverged(stop: Stop, position: Position) -> bool:
    """True where the recent loss is ``stop.diverged`` times what it was at the start."""
    if position.start_loss is None or position.recent_loss is None:
        return False
    return position.recent_loss > stop.diverged * max(position.start_loss, 1e-3)
