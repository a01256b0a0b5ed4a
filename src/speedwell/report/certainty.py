"""How sure a result is: each claim with its test, its n and its bound; the ledger; the control; every call's time."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..core import Confirmation, SpeedClaim
from .charts.ratios import RatioLine
from .folder import Run
from .labels import candidate_label
from .rows import Row
from .words import (
    TIMES,
    bound_points,
    count,
    interval,
    listed,
    milliseconds,
    percent,
    plain,
    plural,
    points,
    ratio,
    sure,
)

__all__ = ["AccuracyLine", "SpeedLine", "accuracy_lines", "call_groups", "control_words", "ledger_lines", "ratio_lines",
           "speed_lines", "splits"]  # fmt: skip

_SPLITS = {
    "train": "left for training; not used in this release",
    "calibration": "ranges for quantizing; labels not used",
    "selection": "seen by the search as often as it likes",
    "confirmed": "of the confirmation split, what the verdict was drawn from",
    "confirmation": "sealed until the finalists were written down",
}


@dataclass(frozen=True)
class AccuracyLine:
    """One finalist's accuracy claim, as words."""

    label: str
    verdict: str
    candidate: str
    original: str
    bound: str
    counts: str
    test: str
    n: str
    note: str


@dataclass(frozen=True)
class SpeedLine:
    """One speed claim, as words."""

    label: str
    baseline: str
    workload: str
    verdict: str
    ratio: str
    times: str
    pairs: str
    note: str


def splits(run: Run) -> list[tuple[str, str, str]]:
    """(name, size, what it is for)."""
    found: Any = run.result.splits if run.result is not None and run.result.splits else run.about("splits")
    if not isinstance(found, Mapping):
        return []
    return [
        (plain(name), count(n), _SPLITS.get(name, ""))
        for name, n in found.items()
        if isinstance(n, int) and not isinstance(n, bool)
    ]


def _confirmations(run: Run) -> Sequence[Confirmation]:
    return run.result.confirmations if run.result is not None else ()


def _label(run: Run, confirmation: Confirmation) -> str:
    return candidate_label(confirmation.candidate, run.original.candidate if run.original else None)


def accuracy_lines(run: Run) -> list[AccuracyLine]:
    """In the order in which the finalists were tested."""
    agreement = run.promise is not None and run.promise.kind == "agreement"
    lines = []
    for confirmation in _confirmations(run):
        claim = confirmation.accuracy
        if agreement:
            bound = f"at most {bound_points(claim.lower).split()[0]} % differ"
        elif claim.lower < 0:
            bound = f"{bound_points(claim.lower)} lower"
        else:
            bound = f"{points(claim.lower)} higher" if claim.lower > 0 else "equal"
        need = f"needs about {count(claim.need)} samples" if claim.need else ""
        lines.append(
            AccuracyLine(
                label=_label(run, confirmation),
                verdict=claim.verdict.value,
                candidate=percent(claim.candidate, 2),
                original="" if agreement else percent(claim.original, 2),
                bound=f"{bound} ({sure(claim.alpha)})",
                counts=f"{count(claim.n12)} / {count(claim.n21)}",
                test=plain(claim.test),
                n=count(claim.n),
                note="; ".join(part for part in (plain(claim.note), need) if part),
            )
        )
    return lines


def _speed_line(label: str, claim: SpeedClaim) -> SpeedLine:
    return SpeedLine(
        label=label,
        baseline="the original" if claim.baseline == "original" else plain(claim.baseline),
        workload=claim.workload.label,
        verdict=claim.verdict.value,
        ratio=f"{ratio(claim.ratio.estimate, TIMES)} {interval(claim.ratio)}",
        times=f"{milliseconds(claim.baseline_seconds)} → {milliseconds(claim.candidate_seconds)}",
        pairs=count(claim.pairs),
        note=plain(claim.note),
    )


def speed_lines(run: Run) -> list[SpeedLine]:
    """Every finalist against every baseline at every workload."""
    return [_speed_line(_label(run, c), s) for c in _confirmations(run) for s in c.speed]


def ratio_lines(run: Run) -> list[RatioLine]:
    """For the chart: the control first, then each finalist."""
    if run.result is None:
        return []
    many = len({s.workload.label for c in run.result.confirmations for s in c.speed}) > 1
    lines = [
        RatioLine(f"control: {_against(s.baseline)} against itself" + (f", {s.workload.name}" if many else ""), s.ratio,
                  control=True)
        for s in run.result.a_a
    ]  # fmt: skip
    for confirmation in run.result.confirmations:
        for claim in confirmation.speed:
            tail = f", {claim.workload.name}" if many else ""
            label = f"{_label(run, confirmation)} against {_against(claim.baseline)}{tail}"
            lines.append(RatioLine(label, claim.ratio))
    return lines


def _against(baseline: str) -> str:
    return "the original" if baseline in ("original", "") else plain(baseline)


def control_words(run: Run) -> str:
    """What the A/A control says about this machine."""
    if run.result is None or not run.result.a_a:
        return "No A/A control is recorded in this run."
    bad = [c for c in run.result.a_a if not c.ratio.low <= 1 <= c.ratio.high]
    spread = max(c.ratio.high / c.ratio.low - 1 for c in run.result.a_a if c.ratio.low > 0)
    base = f"The same model timed against itself in the same rounds: its interval is {100 * spread:.1f} % wide"
    if bad:
        return f"{base} and does not hold 1. The machine was too noisy for small claims: doubt any gain near that size."
    if spread > 0.02:
        return f"{base}. That is more than 2 %: the machine is noisy, and gains under three times that are not claimed."
    return f"{base} and holds 1, as it should."


def ledger_lines(run: Run) -> list[tuple[str, str]]:
    """(when, what), in the order in which it was written."""
    return [(_when(entry.get("at")), _entry(entry)) for entry in run.ledger]


def _when(at: Any) -> str:
    if not isinstance(at, (int, float)) or isinstance(at, bool) or not 0 < at < 1e11:
        return ""
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _entry(entry: Mapping[str, Any]) -> str:
    found = entry.get("body")
    body: Mapping[str, Any] = found if isinstance(found, Mapping) else entry
    kind = entry.get("kind")
    if kind == "finalists":
        finalists = body.get("finalists")
        n = len(finalists) if isinstance(finalists, list) else 0
        parts = [f"{plural(n, 'finalist')} written down before the confirmation split was opened"]
        promise = body.get("promise")
        if isinstance(promise, Mapping) and isinstance(promise.get("margin"), (int, float)):
            parts.append(f"margin {points(promise['margin'])}")
        parts += [f"test {plain(body['test'])}"] if body.get("test") else []
        parts += [f"n {count(body['n'])}"] if isinstance(body.get("n"), int) else []
        return ", ".join(parts)
    if kind == "opening":
        number, alpha = body.get("opening"), body.get("alpha")
        again = " (a second look: alpha is halved)" if isinstance(number, int) and number > 1 else ""
        level = f", alpha {alpha:g}" if isinstance(alpha, (int, float)) else ""
        return f"confirmation split opened (opening {number}{level}){again}"
    if kind == "closing":
        return "tests of that opening done"
    words = [f"{k} {v}" for k, v in entry.items() if isinstance(v, (str, int, float)) and k not in ("hash", "previous")]
    return plain(listed(words))


def call_groups(run: Run, rows: Sequence[Row]) -> list[tuple[str, str, Sequence[Sequence[float]]]]:
    """(label, css class, calls per process) of original, fastest float32 engine and winner: from the confirmation
    where there is one, else from the search's own timings of the best candidate.
    """
    best = run.best
    if run.result is not None and best is not None:
        confirmation = next((c for c in run.result.confirmations if c.candidate.key == best.key), None)
        claims = [s for s in confirmation.speed if s.samples] if confirmation else []
        claims = [s for s in claims if s.workload == claims[0].workload]
        if claims:
            groups = [(_group(s.baseline), "base", tuple(p[0] for p in s.samples)) for s in claims]
            label = candidate_label(best, run.original.candidate if run.original else None)
            return [*groups, (label, "winner", tuple(p[1] for p in claims[0].samples))]
    timed = [r for r in rows if r.ratio is not None and r.state not in ("original", "failed")]
    row = next((r for r in timed if r.state == "winner"), max(timed, key=lambda r: r.ratio or 0.0, default=None))
    trial = next((t for t in run.trials if row is not None and t.candidate.key == row.key and t.timings), None)
    if row is None or trial is None:
        return []
    timing = trial.timings[0]
    return [("The original", "base", timing.baseline), (row.label, "winner", timing.candidate)]


def _group(baseline: str) -> str:
    return "The original" if baseline in ("original", "") else f"Fastest float32 engine ({plain(baseline)})"
