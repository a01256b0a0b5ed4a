"""The key figures under the verdict: each a value, what it is of, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..core import AccuracyVerdict, Confirmation, SpeedVerdict
from .folder import Run
from .rows import Row
from .sentence import bound_words, metric_of, promise_words, verdict_kind, verdict_sentence, winner_confirmation
from .words import (
    MINUS,
    TIMES,
    bound_points,
    digits,
    interval,
    milliseconds,
    percent,
    plain,
    points,
    ratio,
    signed_points,
    size,
    sure,
)

__all__ = ["Figure", "headline", "key_figures", "lead"]


@dataclass(frozen=True)
class Figure:
    """``value`` large, ``name`` above it, ``detail`` below."""

    name: str
    value: str
    detail: str


def headline(run: Run, rows: Sequence[Row]) -> str:
    """The verdict in a sentence; for a run that has not ended, what there is so far."""
    if run.result is not None:
        return plain(run.result.sentence) or verdict_sentence(run.result)
    best = _fastest_within(run, rows)
    if best is None:
        return "The run has not ended, and no candidate has been faster so far. Nothing is confirmed."
    return (
        f"The run has not ended. The best so far is {best.label}: {ratio(best.ratio or 1.0, '')} times as fast on the "
        "search's own numbers. Nothing is confirmed."
    )


def lead(run: Run) -> str:
    """The promise in words, and for which workload."""
    promise = run.promise
    if promise is None:
        return ""
    original = run.original
    claim = winner_confirmation(run.result) if run.result is not None else None
    floor = claim.accuracy.original if claim is not None else (original.metric if original is not None else None)
    text = f"The promise: {promise_words(promise, floor if promise.kind == 'accuracy' else None)}."
    return text + (f" Timed at {run.workloads[0].label}." if run.workloads else "")


def _fastest_within(run: Run, rows: Sequence[Row]) -> Row | None:
    """The fastest measured candidate whose estimate is within the promise (a search estimate, no claim)."""
    margin = run.promise.margin if run.promise is not None else 0.0
    good = [
        r for r in rows
        if r.state not in ("original", "failed") and r.ratio is not None and r.ratio > 1
        and (r.difference is None or -r.difference <= margin)
    ]  # fmt: skip
    return max(good, key=lambda r: r.ratio or 0.0, default=None)


def key_figures(run: Run, rows: Sequence[Row]) -> list[Figure]:
    """Speed, accuracy, size and the harder baseline of the winner; of an unfinished run, what was measured."""
    if run.result is None:
        return _so_far(run, rows)
    won = winner_confirmation(run.result)
    if won is None or verdict_kind(run.result) != "certified":
        return _so_far(run, rows) if run.best is not None else _kept(run, rows)
    return [*_speed(won), _accuracy(won, run), *_sizes(rows)]


def _speed(won: Confirmation) -> list[Figure]:
    first = won.speed[0].workload if won.speed else None
    figures = []
    for claim in (c for c in won.speed if c.workload == first):
        original = claim.baseline == "original"
        times = f"{milliseconds(claim.baseline_seconds)} → {milliseconds(claim.candidate_seconds)}"
        name = "Speed, against the original" if original else "Against fastest float32"
        who = "" if original else f"{plain(claim.baseline)}; "
        unsure = "; not shown" if claim.verdict is not SpeedVerdict.FASTER else ""
        span = f"{claim.ratio.level:.0%}".replace("%", " %")
        figures.append(Figure(name, ratio(claim.ratio.estimate, TIMES),
                              f"{who}{times}; {span} interval {interval(claim.ratio)}{unsure}"))  # fmt: skip
    return figures[:2]


def _accuracy(won: Confirmation, run: Run) -> Figure:
    claim = won.accuracy
    kind = run.result.promise.kind if run.result is not None else "accuracy"
    if kind == "equal":
        return Figure("Outputs", "equal", f"within float32 rounding on {claim.n:,} generated inputs")
    if kind == "agreement":
        most = bound_points(claim.lower).split()[0]
        return Figure("Answers as the original's", percent(claim.candidate, 2),
                      f"at most {most} % differ ({sure(claim.alpha)})")  # fmt: skip
    name = {"AP": "Average precision"}.get(metric_of(claim), metric_of(claim)) or "Accuracy"
    return Figure(name, percent(claim.candidate), f"original {percent(claim.original)}; {bound_words(claim)}")


def _sizes(rows: Sequence[Row]) -> list[Figure]:
    best = next((r for r in rows if r.state == "winner"), None)
    first = next((r for r in rows if r.state == "original"), None)
    if best is None or best.size_bytes <= 0:
        return []
    if first is None or first.size_bytes <= 0:
        return [Figure("Size on disk", size(best.size_bytes), "")]
    factor = first.size_bytes / best.size_bytes
    words = "the same" if abs(factor - 1) < 0.02 else (
        f"{digits(factor, 2)}{TIMES} smaller" if factor > 1 else f"{digits(1 / factor, 2)}{TIMES} larger"
    )  # fmt: skip
    return [Figure("Size on disk", size(best.size_bytes), f"original {size(first.size_bytes)}; {words}")]


def _kept(run: Run, rows: Sequence[Row]) -> list[Figure]:
    """Nothing won: the original as it is, and the finalist that came nearest."""
    figures = _original(rows)
    if run.result is None or not run.result.confirmations:
        return figures
    near = max(
        run.result.confirmations,
        key=lambda c: (c.accuracy.verdict.holds, c.speed[0].ratio.estimate if c.speed else 0.0),
    )
    if near.speed:
        figures.append(
            Figure(
                "Nearest finalist",
                ratio(near.speed[0].ratio.estimate, TIMES),
                f"95 % interval {interval(near.speed[0].ratio)}; {bound_words(near.accuracy)}",
            )
        )
    if near.accuracy.verdict is AccuracyVerdict.UNDECIDED and near.accuracy.need:
        figures.append(
            Figure(
                "Samples needed",
                f"{near.accuracy.need:,}",
                f"to decide on {points(near.accuracy.margin)}; there were {near.accuracy.n:,}",
            )
        )
    return figures


def _original(rows: Sequence[Row]) -> list[Figure]:
    first = next((r for r in rows if r.state == "original"), None)
    if first is None:
        return []
    figures = []
    if first.seconds is not None:
        figures.append(Figure("The original", milliseconds(first.seconds), first.label.removeprefix("original, ")))
    if first.accuracy is not None:
        figures.append(Figure("Its accuracy", percent(first.accuracy), "on the selection split"))
    return figures


def _so_far(run: Run, rows: Sequence[Row]) -> list[Figure]:
    figures = _original(rows)
    best = next((r for r in rows if r.state == "winner"), None) or _fastest_within(run, rows)
    if best is not None and best.ratio is not None and best.seconds is not None:
        figures.append(
            Figure("Best so far", ratio(best.ratio, TIMES), f"{milliseconds(best.seconds)}; a search estimate")
        )
        if best.difference is not None:
            figures.append(Figure("Its difference, in points", signed_points(best.difference, MINUS),
                                  f"on {best.n:,} selection samples; not confirmed"))  # fmt: skip
    return figures
