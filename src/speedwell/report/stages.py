"""The winner's pipeline as measured stages: the original, then what each further step of the pipeline gave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..core import Candidate, Outcome
from .folder import Run
from .labels import engine_label, step_label
from .rows import Row

__all__ = ["Stage", "winner_stages"]


@dataclass(frozen=True)
class Stage:
    """``seconds``, ``difference``, ``size_bytes``: of the pipeline up to here, None/0 where it was not a trial of its
    own. ``apply_seconds``: what the steps of this stage took to apply. ``note``: remarks of the steps.
    """

    label: str
    seconds: float | None = None
    difference: float | None = None
    size_bytes: int = 0
    apply_seconds: float = 0.0
    note: str = ""


def winner_stages(run: Run, rows: Sequence[Row]) -> tuple[Stage, ...]:
    """Empty without a winner. A step whose prefix was never timed is told together with the next one."""
    best, original = run.best, run.original
    if best is None or original is None or best.key == original.candidate.key:
        return ()
    by_key = {r.key: r for r in rows}
    outcome = next((t for t in run.trials if t.candidate.key == best.key), None)
    first = by_key.get(original.candidate.key)
    stages = [_stage(f"original, {engine_label(original.candidate.engine)}", first)]
    names: list[str] = [] if best.engine == original.candidate.engine else [f"run by {engine_label(best.engine)}"]
    done = 0
    for end in range(len(best.steps) + 1):
        prefix = Candidate(best.steps[:end], best.engine)
        row = by_key.get(prefix.key)
        if end:
            # the engine is named after what makes its form: "to ONNX, run by ONNX Runtime"
            names.insert(end - 1 - done, step_label(best.steps[end - 1]))
        final = end == len(best.steps)
        measured = row is not None and row.seconds is not None and row.state != "original"
        if names and (measured or final):
            seconds, note = _effects(outcome, done, end)
            stages.append(_stage("+ " + ", ".join(names), row, seconds, note))
            names, done = [], end
    return tuple(stages)


def _stage(label: str, row: Row | None, apply_seconds: float = 0.0, note: str = "") -> Stage:
    if row is None:
        return Stage(label, apply_seconds=apply_seconds, note=note)
    return Stage(label, row.seconds, row.difference, row.size_bytes, apply_seconds, note)


def _effects(outcome: Outcome | None, start: int, end: int) -> tuple[float, str]:
    effects = outcome.effects[start:end] if outcome is not None else ()
    return sum(e.seconds for e in effects), "; ".join(e.note for e in effects if e.note)
