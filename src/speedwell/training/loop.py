"""The loop: forward, backward, update, repeat until a stop condition; guarded, recorded, and resumable at any step."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from ..core.errors import DivergenceError
from .best import keep_best
from .checkpoint import newest_checkpoint, write_checkpoint
from .guard import Guard
from .history import History
from .interruption import Interruption
from .kept_memory import kept_memory
from .learner import Learner, StepResult
from .loader import Loader
from .operations import Operations, count_operations
from .optimizers import rate_at
from .precision import choose_precision
from .state import Position, learner_state, load_learner
from .stop import Plan, diverged, planned, stop_reason, validation_due
from .watch import NullWatch, Row, Watch

__all__ = ["Trained", "train"]

UNSTEADY = 5
"""First steps of a sitting, which warm up caches: their pace says nothing."""


@dataclass(frozen=True)
class Trained:
    """``reason``: why it ended. ``metric``: best validation (0..1), None without one. ``weights``: the file of what is
    handed over. Seconds of ``forward``, ``backward`` and ``update`` are means a step of this sitting.
    """

    reason: str
    position: Position
    plan: Plan
    metric: float | None
    weights: Path
    samples_per_second: float
    forward: float
    backward: float
    update: float
    operations: Operations
    precision: str
    skipped: tuple[str, ...]


class Training:
    """One training in ``folder``: a checkpoint there is gone on from. See ``train``."""

    def __init__(
        self, learner: Learner, loader: Loader, folder: Path, validate: Any, watch: Watch, origins: Any
    ) -> None:
        self.learner, self.loader, self.folder = learner, loader, folder
        self.recipe = learner.recipe
        self.validate: Callable[[nn.Module], float] | None = validate
        self.watch = watch if learner.ranks.first else NullWatch()
        self.guard = Guard(origins)
        self.position = Position(parts=learner.parts)
        self.plan = planned(self.recipe.stop, loader.steps)
        self.mark: tuple[int, float] | None = None
        self._resume()
        learner.begin(loader, self.plan.total)
        self.history = History(folder, self.position.step) if learner.ranks.first else None
        self.times = np.zeros(3)
        self.timed = self.samples = 0
        self.since_row: list[StepResult] = []
        self.begun, self.plan_next = self.position.step, self.position.step + 2 * UNSTEADY
        self.stepping = 0.0
        self.saved = time.monotonic()

    def _resume(self) -> None:
        found = newest_checkpoint(self.folder / "checkpoints")
        if found is None:
            self._choose()
            return
        tensors, facts = found
        load_learner(self.learner, tensors, facts)
        self.position = Position(**facts["position"])
        self.guard.in_a_row = self.position.skips_in_a_row
        self.learner.parts = self.position.parts
        if facts["plan"]["per_epoch"] == self.plan.per_epoch:
            self.plan = Plan(**facts["plan"])

    def _choose(self) -> None:
        """What is left to a measurement, and a checkpoint of it at once: it may come out otherwise another time, and
        the resumed run is to go on as this one.
        """
        if self.recipe.precision == "auto":
            self.watch.note(f"precision {choose_precision(self.learner, self.loader)}")
            self._save()

    def run(self) -> Trained:
        first = self.loader.make(self.loader.some(), None)
        operations = count_operations(self.learner, first)
        self.watch.started(self.plan, self.position.step)
        began, before = time.perf_counter(), self.position.seconds
        reason = stop_reason(self.recipe.stop, self.plan, self.position)
        with Interruption() as interruption:
            while not reason:
                epoch, start = divmod(self.position.step, self.plan.per_epoch)
                for batch, whole in self.loader.epoch(epoch, start):
                    self._step(batch, whole)
                    # what ends or saves a training must be one and the same on every process: one collective for all
                    seconds = before + time.perf_counter() - began
                    due = time.monotonic() - self.saved >= self.recipe.checkpoint_seconds
                    wanted, due, seconds = self.learner.ranks.agreed(interruption.wanted, due, seconds)
                    self.position = replace(self.position, seconds=seconds)
                    self._plan_again()
                    if self.validate is not None and validation_due(
                        self.recipe.validate_every, self.plan, self.position.step
                    ):
                        self._validate(self.validate)
                    reason = stop_reason(self.recipe.stop, self.plan, self.position)
                    if wanted:
                        self._save()
                        raise KeyboardInterrupt
                    if due:
                        self._save()
                    if reason:
                        break
        self._save()
        weights = self.folder / "best.safetensors"
        if self.learner.ranks.worst(int(self.validate is None or not weights.is_file())):
            keep_best(self.learner, weights)
        self.learner.ranks.barrier()
        forward, backward, update = (self.times / max(1, self.timed)).tolist()
        seconds = max(1e-9, self.position.seconds - before)
        return Trained(
            reason=reason,
            position=self.position,
            plan=self.plan,
            metric=self.position.best,
            weights=weights,
            samples_per_second=self.samples / seconds,
            forward=forward,
            backward=backward,
            update=update,
            operations=operations,
            precision=self.learner.precision,
            skipped=tuple(f"step {s.step + 1}, {s.where}: {self.guard.named(s)}" for s in self.guard.skips),
        )

    def close(self) -> None:
        """The history's files, however the training ended."""
        if self.history is not None:
            self.history.close()

    def _step(self, batch: Any, whole: int) -> None:
        at = self.position
        rate = rate_at(self.recipe, at.step, self.plan.total)
        began = time.perf_counter()
        done = self.learner.step(batch, whole, at.step, rate)
        self.stepping += time.perf_counter() - began
        self.samples += whole
        if done.skip is not None:
            self.position = at.skipped()
            self.watch.warning(
                f"step {at.step + 1:,} left out: its {done.skip.where} is not finite ({self.guard.named(done.skip)})"
            )
            self.guard.skipped(done.skip)
            return
        self.guard.passed()
        self.times += (done.forward, done.backward, done.update)
        self.timed += 1
        self.since_row.append(done)
        self.position = now = replace(at.stepped(done.loss), parts=self.learner.parts)
        if diverged(self.recipe.stop, now):
            raise DivergenceError(
                f"the loss grew to {now.recent_loss:.3g}, from {now.start_loss:.3g} at the start (step {now.step:,})",
                f"The last good checkpoint is kept. Lower optimizer.lr ({self.recipe.optimizer.lr:g}) or set clip.",
            )
        if len(self.since_row) >= max(1, min(50, self.plan.per_epoch // 10)):
            self._row(rate)

    def _plan_again(self) -> None:
        """With a time limit, how many steps fit is worked out anew every twentieth of the way, from the pace so far:
        a machine that others use as well changes its pace, and the schedule is to end when the time does.
        """
        at = self.position
        if self.mark is None and at.step >= self.begun + UNSTEADY:
            self.mark = (at.step, at.seconds)
        if not self.recipe.stop.minutes or self.mark is None or at.step < self.plan_next:
            return
        # of one clock for all processes: seconds are agreed on at each step
        pace = (at.seconds - self.mark[1]) / max(1, at.step - self.mark[0])
        if pace <= 0:
            return
        self.plan = planned(self.recipe.stop, self.plan.per_epoch, pace, at.seconds, at.step)
        self.plan_next = at.step + max(UNSTEADY, self.plan.total // 20)
        self.watch.started(self.plan, at.step)

    def _validate(self, validate: Callable[[nn.Module], float]) -> None:
        with self.learner.averaged():
            metric = validate(self.learner.network)
        self.position, better = self.position.validated(metric)
        if better:
            keep_best(self.learner, self.folder / "best.safetensors")
        self._row(rate_at(self.recipe, self.position.step - 1, self.plan.total), metric, better)

    def _row(self, rate: float, metric: float | None = None, best: bool = False) -> None:
        at, done = self.position, self.since_row
        row = Row(
            step=at.step,
            epoch=at.step / self.plan.per_epoch,
            loss=float(np.mean(losses)) if (losses := [d.loss for d in done if d.loss is not None]) else None,
            rate=rate,
            norm=float(np.mean([d.norm for d in done])) if done else None,
            speed=self.samples / max(1e-9, self.stepping),
            seconds=at.seconds,
            metric=metric,
            best=best,
        )
        self.since_row = []
        if self.history is not None:
            self.history.add(row)
        self.watch.row(row)

    def _save(self) -> None:
        self.saved = time.monotonic()
        tensors, facts = learner_state(self.learner)  # of spread weights all processes give their part
        if self.learner.ranks.first:
            facts |= {"position": asdict(self.position), "plan": asdict(self.plan)}
            write_checkpoint(self.folder / "checkpoints", self.position.step, tensors, facts)


def train(
    learner: Learner,
    loader: Loader,
    folder: Path,
    validate: Callable[[nn.Module], float] | None = None,
    watch: Watch | None = None,
    origins: Any = (),
) -> Trained:
    """Train until a condition of the recipe says stop. ``validate(network)``: the metric, 0..1, larger is better.
    ``origins``: names of the samples, for what the guard reports.

    ``folder`` gets ``checkpoints/``, ``best.safetensors``, ``history.jsonl`` and ``tensorboard/``; where it holds a
    checkpoint already, training goes on from there, bit for bit as if it had never stopped (CPU, float32, the same
    number of threads and processes, no time limit).
    Raises ``DivergenceError``, ``WorkerLostError``, ``OutputError``; ``KeyboardInterrupt`` after a checkpoint.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with kept_memory():
        training = Training(learner, loader, folder, validate, watch or NullWatch(), origins)
        try:
            return training.run()
        finally:
            training.close()
