"""One candidate from proposal to outcome: built, compiled, checked, timed against the original, judged on selection.

Whatever goes wrong in its worker becomes the outcome's ``failure``; the search goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..core.candidate import Candidate
from ..core.errors import (
    EngineError,
    EngineUnavailableError,
    JobError,
    LabelMismatchError,
    PassError,
    SpeedwellError,
)
from ..core.evidence import Evidence
from ..core.model import Model
from ..core.outcome import Failure, FailureKind, Outcome, StepEffect, Timing
from ..core.record import content_hash, decode
from ..measure import Remote, check_outputs, compare_outputs, interleave
from . import jobs
from .prepared import Prepared
from .workers import Workers

__all__ = ["FIRST_BLOCK", "Bench", "Built", "turns"]

FIRST_BLOCK = 256
"""Selection samples that every candidate answers; the rest only where it can still win."""
LEAST_CALLS, MOST_CALLS = 5, 60
SECONDS_A_SIDE = 2.0
"""Timing one side of a pair takes about this long while searching."""
LOSSLESS_BATCH = 16
SETTLE_SECONDS, TURN_SECONDS = 0.005, 0.03
"""A session that slept finds cold caches: it settles for this long, then its timed calls fill a turn of about that."""


@dataclass(frozen=True)
class Built:
    """A candidate's product on disk."""

    model: Model
    effects: tuple[StepEffect, ...]
    seconds: float


class Bench:
    """Holds the original's session (asleep while others are timed) and measures candidates against it.

    ``limit_seconds``: wall clock for building, compiling and each block of answers of one candidate.
    """

    def __init__(self, prepared: Prepared, workers: Workers, artifacts: Path, limit_seconds: float) -> None:
        self.prepared = prepared
        self.workers = workers
        self.artifacts = artifacts
        self.limit_seconds = limit_seconds
        self.rng = np.random.default_rng(prepared.settings.seed)
        self.opening_seconds = 0.0
        self._built: dict[str, Built] = {}
        self._original: Remote | None = None
        self._reference: list[Mapping[str, np.ndarray]] = []

    def close(self) -> None:
        if self._original is not None:
            self._original.close()
            self._original = None

    def open_original(self) -> Remote:
        """The original's session with its outputs on the check inputs; opened once. Raises what opening raises."""
        if self._original is None:
            began = time.monotonic()
            remote = self.open(self.prepared.model, self.prepared.engine)
            try:
                self._reference = [remote.call("answer", inputs=path).arrays for path in self.prepared.checks]
                for outputs in self._reference:
                    check_outputs(outputs, self.prepared.model.signature)
                remote.call("time", calls=3)
            except BaseException:
                remote.close()
                raise
            remote.pause()
            self._original = remote
            self.opening_seconds = time.monotonic() - began
        return self._original

    def open(self, model: Model, engine: str) -> Remote:
        p = self.prepared
        return self.workers.session(
            model, engine, p.workloads[0], p.feeds, self.limit_seconds, p.data.task, p.settings.options
        )

    def build(self, candidate: Candidate) -> Built:
        """Apply the candidate's steps in a worker (products of shared prefixes are kept), once in this run."""
        p = self.prepared
        if not candidate.steps:
            return Built(p.model, (), 0.0)
        if (known := self._built.get(steps := content_hash(candidate.steps))) is not None:
            return replace(known, seconds=0.0)
        began = time.monotonic()
        reply = self.workers.job(
            jobs.build,
            self.limit_seconds,
            original=p.model,
            steps=candidate.steps,
            artifacts=self.artifacts,
            calibration=None if p.data.none else p.folder / "calibration",
            workload=p.workloads[0],
            hardware=self.workers.hardware,
            seed=p.settings.seed,
            budget_seconds=self.limit_seconds,
        )
        effects = tuple(decode(StepEffect, e) for e in reply.value["effects"])
        built = Built(decode(Model, reply.value["model"]), effects, time.monotonic() - began)
        self._built[steps] = built
        return built

    def opener(self, candidate: Candidate) -> Callable[[], Remote]:
        """What opens a fresh session of a candidate each time it is called, for ``measure.run_rounds``."""
        model = self.build(candidate).model
        return lambda: self.open(model, candidate.engine)

    def measure(
        self, candidate: Candidate, lossless: bool, original: Outcome | None, wins: Callable[[Outcome], bool]
    ) -> Outcome:
        """The outcome of one candidate. ``original``: its outcome, None while the original itself is measured.

        ``wins(partial)``: asked after the first block of answers whether the rest is worth answering.
        """
        began = time.monotonic()
        outcome = Outcome(candidate, lossless=lossless)
        stage, remote = "build", None
        try:
            built = self.build(candidate)
            outcome = replace(
                outcome, size_bytes=built.model.size_bytes, effects=built.effects, artifact=built.model.digest
            )
            stage = "compile"
            itself = candidate.key == self.prepared.candidate.key
            base = self.open_original()
            remote = base if itself else self.open(built.model, candidate.engine)
            seconds = self.opening_seconds if itself else time.monotonic() - began
            outcome = replace(outcome, build_seconds=seconds, facts=remote.call("facts").value)
            stage = "check"
            if not itself:
                self._check(remote, lossless)
            stage = "time"
            timings = self._time(base, remote, itself)
            outcome = replace(outcome, timings=timings, memory_bytes=remote.peak_memory())
            stage = "evaluate"
            if not self.prepared.data.none:
                outcome = self._evaluate(remote, outcome, lossless, original, wins)
            return replace(outcome, memory_bytes=remote.peak_memory(), seconds=time.monotonic() - began)
        except SpeedwellError as error:
            if isinstance(error, LabelMismatchError):
                raise
            return replace(outcome, failure=_failure(error, stage), seconds=time.monotonic() - began)
        finally:
            if remote is not None and remote is not self._original:
                remote.close()
            if self._original is not None:
                self._original.pause()

    def _check(self, remote: Remote, lossless: bool) -> None:
        for path, reference in zip(self.prepared.checks, self._reference, strict=True):
            outputs = remote.call("answer", inputs=path).arrays
            check_outputs(outputs, self.prepared.model.signature)
            edge = "zeros" in path.name
            if not edge or lossless:
                compare_outputs(outputs, reference, lossless)

    def _time(self, base: Remote, remote: Remote, itself: bool) -> tuple[Timing, ...]:
        timings = []
        for number, workload in enumerate(self.prepared.workloads):
            for side in {id(base): base, id(remote): remote}.values():
                side.call("use", workload=number)
            warm = float(np.median(base.call("time", calls=3).value))
            other = warm if itself else float(np.median(remote.call("time", calls=3).value))
            calls = int(np.clip(SECONDS_A_SIDE / max(warm, other, 1e-6), LEAST_CALLS, MOST_CALLS))
            if itself:
                samples = tuple(base.call("time", calls=calls).value)
                timings.append(Timing(workload, (samples,), (samples,)))
                continue
            block, settle = turns(max(warm, other))
            taken = interleave({"baseline": base, "candidate": remote}, calls, self.rng, block=block, settle=settle)
            if failed := next(iter(taken.failures.values()), None):
                raise JobError(failed.message, failed.detail, failed.kind.value)
            timings.append(Timing(workload, (taken.samples["baseline"],), (taken.samples["candidate"],)))
        return tuple(timings)

    def _evaluate(
        self,
        remote: Remote,
        outcome: Outcome,
        lossless: bool,
        original: Outcome | None,
        wins: Callable[[Outcome], bool],
    ) -> Outcome:
        p = self.prepared
        total, batch = p.selection, self.answer_batch(lossless)
        first = min(FIRST_BLOCK, total)
        base = self._original
        if base is not None and base is not remote:
            base.pause()
        evidence = self._answers(remote, 0, first, batch)
        outcome = _with(outcome, evidence, original)
        whole = original is None or (not lossless and wins(outcome))
        if whole and first < total:
            outcome = _with(outcome, Evidence.join([evidence, self._answers(remote, first, total, batch)]), original)
        return outcome

    def _answers(self, remote: Remote, start: int, stop: int, batch: int) -> Evidence:
        reply = remote.call("evaluate", split=self.prepared.folder / "selection", start=start, stop=stop, batch=batch)
        return Evidence.of_arrays(reply.value["kind"], reply.arrays).without_boxes()

    def answer_batch(self, lossless: bool) -> int:
        """Samples a call while answering: as the user will call it, because a dynamic scale depends on the batch; where
        no answer can depend on it, as many as is quick.
        """
        p = self.prepared
        free = all(spec.shape and isinstance(spec.shape[0], str) for spec in p.model.signature.inputs)
        return max(p.settings.batch, LOSSLESS_BATCH) if lossless and p.data.pictures and free else p.settings.batch


def _with(outcome: Outcome, evidence: Evidence, original: Outcome | None) -> Outcome:
    """Evidence that covers a part of the split gives a metric relative to the original on that part: metrics of
    different parts could not be compared.
    """
    metric = evidence.metric() if len(evidence.scores) else None
    if metric is not None and original is not None and original.evidence is not None and original.metric is not None:
        metric += original.metric - original.evidence.metric(np.arange(len(evidence)))
    return replace(outcome, evidence=evidence, metric=metric)


def turns(seconds: float) -> tuple[int, int]:
    """(block, settle) of ``measure.interleave`` for calls of so many seconds: networks of microseconds need longer
    turns, or waking up is what is timed.
    """
    each = max(seconds, 1e-6)
    return int(np.clip(TURN_SECONDS / each, 3, 20)), int(np.clip(SETTLE_SECONDS / each, 1, 20))


def _failure(error: SpeedwellError, stage: str) -> Failure:
    """The typed failure of an error that a worker met."""
    kind = FailureKind.ERROR
    if isinstance(error, JobError):
        kind = FailureKind(error.kind)
    elif isinstance(error, EngineUnavailableError):
        kind = FailureKind.UNAVAILABLE
    elif isinstance(error, (EngineError, PassError)):
        kind = FailureKind.UNSUPPORTED
    first, _, rest = error.what.partition("\n")
    return Failure(kind, stage, first[:400], (rest or error.fix)[:2000])
