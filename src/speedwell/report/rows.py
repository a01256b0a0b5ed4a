"""One row per candidate: what the picture draws, what the table lists, and why it lost."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..core import Confirmation, Evidence, Interval, Outcome, Promise
from .folder import Run
from .labels import candidate_labels
from .sentence import confirmation_of
from .words import MINUS, bound_points, plain, points, ratio, signed_points

__all__ = ["Row", "State", "failure_words", "make_rows", "median_seconds", "paired_difference"]

State = Literal["original", "winner", "finalist", "front", "open", "lost", "failed"]
_STAGES = {
    "build": "while it was built",
    "compile": "while the engine compiled it",
    "check": "when its outputs were checked",
    "evaluate": "while it answered the selection split",
    "time": "while it was timed",
}


@dataclass(frozen=True)
class Row:
    """Search estimates, except ``confirmation``. ``state`` "open": it still competes in a run that has not ended.

    ``accuracy`` 0..1; ``difference``: paired, candidate minus original (minus the share of differing answers where
    there are no labels) on ``n`` samples; ``error``: its standard error. ``seconds``: median over all calls of the
    first workload. ``ratio``: original's time / its time, median over process pairs, from ``ratio_low`` to
    ``ratio_high`` over ``pairs`` pairs. None where not measured.
    """

    key: str
    number: int
    label: str
    pipeline: str
    engine: str
    state: State
    reason: str
    accuracy: float | None = None
    difference: float | None = None
    error: float | None = None
    n: int = 0
    seconds: float | None = None
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    pairs: int = 0
    size_bytes: int = 0
    memory_bytes: int = 0
    build_seconds: float = 0.0
    confirmation: Confirmation | None = None

    @property
    def measured(self) -> bool:
        return self.seconds is not None

    @property
    def speed(self) -> Interval | None:
        """The confirmed ratio against the original, first workload."""
        if self.confirmation is None:
            return None
        return next((s.ratio for s in self.confirmation.speed if s.baseline == "original"), None)


def median_seconds(outcome: Outcome) -> float | None:
    """Median latency over every call of the first workload, None where it was not timed."""
    if not outcome.timings:
        return None
    calls = [c for pair in outcome.timings[0].candidate for c in pair]
    return statistics.median(calls) if calls else None


def _ratios(outcome: Outcome) -> list[float]:
    """Per process pair: exp of the median of log(baseline / candidate) over its calls."""
    found = []
    for base, mine in zip(outcome.timings[0].baseline, outcome.timings[0].candidate, strict=False):
        logs = [math.log(b / c) for b, c in zip(base, mine, strict=False) if b > 0 and c > 0]
        if logs:
            found.append(math.exp(statistics.median(logs)))
    return found


def _accuracy(outcome: Outcome, original: Outcome | None) -> float | None:
    if outcome.metric is not None:
        return outcome.metric
    evidence = outcome.evidence
    if evidence is None:
        return None
    if len(evidence.scores):
        return float(np.mean(evidence.scores))
    if original is not None and original.evidence is not None and len(evidence.answers):
        n = min(len(evidence.answers), len(original.evidence.answers))
        return float(np.mean(evidence.answers[:n] == original.evidence.answers[:n])) if n else None
    return None


def paired_difference(mine: Evidence | None, base: Evidence | None) -> tuple[float, float, int] | None:
    """(difference, standard error, n) over the samples both answered: of scores where there are labels, else minus
    the share of differing answers. A candidate's evidence may cover only the first part of the split.
    """
    if mine is None or base is None or mine.kind == "matches":
        return None  # average precision is no mean over images
    if len(mine.scores) and len(base.scores):
        n = min(len(mine.scores), len(base.scores))
        delta = mine.scores[:n] - base.scores[:n]
    elif len(mine.answers) and len(base.answers):
        n = min(len(mine.answers), len(base.answers))
        delta = -(mine.answers[:n] != base.answers[:n]).astype(np.float64)
    else:
        return None
    error = float(np.std(delta, ddof=1)) / math.sqrt(n) if n > 1 else 0.0
    return float(np.mean(delta)), error, n


def failure_words(outcome: Outcome) -> str:
    """ "timeout while the engine compiled it: no answer in 60 s"."""
    failure = outcome.failure
    if failure is None:
        return ""
    stage = _STAGES.get(failure.stage, f"at the stage {failure.stage}" if failure.stage else "")
    head = f"{failure.kind.value} {stage}".strip()
    message = plain(failure.message).strip()
    return f"{head}: {message}" if message else head


def make_rows(run: Run) -> tuple[Row, ...]:
    """Every trial in the order of its number; a candidate tried twice keeps its later, complete record."""
    original = run.original
    by_key: dict[str, Outcome] = {}
    for trial in sorted(run.trials, key=lambda t: t.number):
        by_key[trial.candidate.key] = trial
    if original is not None and original.candidate.key not in by_key:
        by_key = {original.candidate.key: original, **by_key}
    labels = candidate_labels([t.candidate for t in by_key.values()], original.candidate if original else None)
    refused = {r.candidate.key: plain(r.reason) for r in run.result.refused} if run.result is not None else {}
    rows = [_row(run, trial, original, labels, refused) for trial in by_key.values()]
    return tuple(rows)


def _row(
    run: Run, trial: Outcome, original: Outcome | None, labels: Mapping[str, str], refused: Mapping[str, str]
) -> Row:
    key = trial.candidate.key
    is_original = original is not None and key == original.candidate.key
    confirmation = confirmation_of(run.result, key) if run.result is not None else None
    paired = paired_difference(trial.evidence, original.evidence if original else None)
    seconds = median_seconds(trial)
    if is_original and seconds is None:
        seconds = _original_seconds(run)
    ratios = _ratios(trial) if trial.timings and not is_original else []
    accuracy = _accuracy(trial, original)
    difference = paired[0] if paired else None
    if difference is None and accuracy is not None and original is not None and original.metric is not None:
        difference = accuracy - original.metric
    state = _state(run, trial, is_original, confirmation)
    measured = {
        "accuracy": accuracy,
        "difference": 0.0 if is_original and accuracy is not None else difference,
        "error": paired[1] if paired else None,
        "n": paired[2] if paired else 0,
    }
    ratio_mid = statistics.median(ratios) if ratios else (1.0 if is_original and seconds is not None else None)
    reason = _reason(run, trial, state, confirmation, refused.get(key, ""), difference, ratio_mid)
    return Row(
        key=key,
        number=trial.number,
        label=labels[key],
        pipeline=plain(trial.candidate.label),
        engine=plain(trial.candidate.engine),
        state=state,
        reason=reason,
        seconds=seconds,
        ratio=ratio_mid,
        ratio_low=min(ratios, default=None),
        ratio_high=max(ratios, default=None),
        pairs=len(ratios),
        size_bytes=trial.size_bytes,
        memory_bytes=trial.memory_bytes,
        build_seconds=trial.build_seconds,
        confirmation=confirmation,
        **measured,  # type: ignore[arg-type]
    )


def _original_seconds(run: Run) -> float | None:
    calls = [c for t in run.trials if t.timings for pair in t.timings[0].baseline for c in pair]
    return statistics.median(calls) if calls else None


def _state(run: Run, trial: Outcome, is_original: bool, confirmation: Confirmation | None) -> State:
    key = trial.candidate.key
    if is_original:
        return "original"
    if trial.failure is not None:
        return "failed"
    if run.best is not None and key == run.best.key:
        return "winner"
    if confirmation is not None:
        return "finalist"
    if run.result is not None and any(c.key == key for c in run.result.front):
        return "front"
    return "lost" if run.result is not None else "open"


def _reason(
    run: Run, trial: Outcome, state: State, confirmation: Confirmation | None, refused: str, difference: float | None,
    speed: float | None,
) -> str:  # fmt: skip
    if state == "original":
        return "what every candidate is measured against"
    if state == "winner":
        return (
            "promise kept, and the fastest that kept it"
            if confirmation is not None and confirmation.certified
            else "best so far, not confirmed"
        )
    if trial.failure is not None:
        return failure_words(trial)
    if refused:
        return refused
    if confirmation is not None:
        return _finalist_reason(confirmation)
    return _search_reason(run.promise, difference, speed, ended=run.result is not None)


def _finalist_reason(confirmation: Confirmation) -> str:
    if confirmation.reason:
        return plain(confirmation.reason)
    claim = confirmation.accuracy
    if not claim.verdict.holds:
        return f"at worst {bound_points(claim.lower)} lower, promise {points(claim.margin)}"
    return "confirmed, but not the fastest" if confirmation.certified else "not shown to be faster than the original"


def _search_reason(promise: Promise | None, difference: float | None, speed: float | None, ended: bool) -> str:
    """For candidates the result says nothing of: only what the search's own numbers carry."""
    if promise is not None and difference is not None and -difference > promise.margin:
        return f"{signed_points(difference, MINUS)} points on the selection split, promise {points(promise.margin)}"
    if speed is not None and speed < 1:
        return f"slower than the original ({ratio(speed)})"
    return "not among the finalists" if ended else "still competes; the run has not ended"
