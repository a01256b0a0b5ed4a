"""Whether a candidate still competes, and in words why not. Judged on the selection split: good enough to choose by,
never a certificate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from speedwell.core import (
    AccuracyClaim,
    AccuracyVerdict,
    Candidate,
    Outcome,
    Promise,
    Refusal,
    SpeedClaim,
    SpeedVerdict,
)

from .latency import ratio

__all__ = [
    "Accuracy",
    "Compare",
    "Comparison",
    "Judgement",
    "Status",
    "finalists",
    "front",
    "judge",
    "judge_all",
    "refusals",
]

Status = Literal["original", "competes", "lost accuracy", "slower", "failed", "dominated", "undecided"]
Accuracy = Literal["kept", "likely", "thin", "lost", "unknown"]

LIKELY_SHARE = 1 / 3  # an estimate that uses up no more of the margin than this will probably certify
CLEARLY = 1.02  # two ratios nearer than this are the same speed while searching
FINALISTS = 5


@dataclass(frozen=True)
class Comparison:
    """A candidate against the original: on the samples that both answered (None without data), and per workload."""

    accuracy: AccuracyClaim | None
    speed: tuple[SpeedClaim, ...]


Compare = Callable[[Outcome, Outcome], Comparison]
"""``compare(outcome, original)``: the statistics are measure's; the workflow hands them in."""


@dataclass(frozen=True)
class Judgement:
    """``accuracy``: kept (shown on selection), likely (not shown; at most a third of the margin is used up), thin
    (not shown; within the margin), lost, or unknown. ``ratio``: baseline time / candidate time, None unmeasured.
    ``words``: what a person reads; "" while the candidate competes.
    """

    status: Status
    words: str
    accuracy: Accuracy
    ratio: float | None

    @property
    def safe(self) -> bool:
        """True where confirmation will probably certify the accuracy."""
        return self.accuracy in ("kept", "likely")

    @property
    def plausible(self) -> bool:
        """True where the promise may hold, as far as selection shows."""
        return self.safe or self.accuracy == "thin"


def judge(outcome: Outcome, original: Outcome, promise: Promise, compare: Compare) -> Judgement:
    """One outcome by itself (``judge_all`` adds who is dominated). ``original`` must have been measured."""
    if outcome.failure is not None:
        failure = outcome.failure
        words = f"failed: {failure.kind.value} ({failure.stage})" + (f": {failure.message}" if failure.message else "")
        return Judgement("failed", words, "unknown", None)
    if outcome.candidate.key == original.candidate.key:
        return Judgement("original", "", "kept", 1.0)
    comparison = compare(outcome, original)
    measured = ratio(outcome)
    accuracy = _accuracy(outcome, comparison.accuracy, promise)
    if accuracy == "lost":
        return Judgement("lost accuracy", _lost_words(comparison.accuracy, promise), accuracy, measured)
    slower = [c for c in comparison.speed if c.verdict is SpeedVerdict.SLOWER]
    if slower:
        return Judgement("slower", _slower_words(slower[0], len(comparison.speed)), accuracy, measured)
    if accuracy == "unknown":
        return Judgement("undecided", "undecided: nothing shows how accurate it is", accuracy, measured)
    doubtful = [c for c in comparison.speed if c.verdict is SpeedVerdict.UNDECIDED]
    if doubtful or not comparison.speed:
        words = (
            "undecided: not timed"
            if not doubtful
            else f"undecided: {_ratio_words(doubtful[0])}, not shown to be faster"
        )
        return Judgement("undecided", words, accuracy, measured)
    if accuracy == "thin" and comparison.accuracy is not None:
        return Judgement("undecided", _thin_words(comparison.accuracy, promise), accuracy, measured)
    return Judgement("competes", "", accuracy, measured)


def judge_all(
    outcomes: Sequence[Outcome],
    original: Outcome,
    promise: Promise,
    compare: Compare,
    name: Callable[[Candidate], str] = lambda candidate: candidate.label,
) -> dict[str, Judgement]:
    """Judgements by candidate key. A candidate is dominated where a safe one is clearly faster and no less accurate.

    ``name``: what a person calls a candidate, for the words.
    """
    judged = {o.candidate.key: judge(o, original, promise, compare) for o in outcomes}
    rivals = [
        (o, judged[o.candidate.key].ratio or 0.0)
        for o in outcomes
        if judged[o.candidate.key].safe and judged[o.candidate.key].status in ("competes", "original")
    ]
    result = dict(judged)
    for outcome in outcomes:
        judgement = judged[outcome.candidate.key]
        if judgement.status not in ("competes", "undecided") or judgement.ratio is None:
            continue
        better = [(r, o) for o, r in rivals if r > judgement.ratio * CLEARLY and _score(o) >= _score(outcome)]
        if better:
            best_ratio, best = max(better, key=lambda pair: pair[0])
            speeds = f"{best_ratio:.2f}x against {judgement.ratio:.2f}x"
            words = f"dominated: {name(best.candidate)} is faster ({speeds}) and no less accurate"
            if best.candidate.key == original.candidate.key:
                words = f"not faster than the original: {judgement.ratio:.2f}x"
            result[outcome.candidate.key] = Judgement("dominated", words, judgement.accuracy, judgement.ratio)
    return result


def finalists(
    outcomes: Sequence[Outcome],
    judgements: Mapping[str, Judgement],
    k: int = FINALISTS,
    speeds: Mapping[str, float] | None = None,
    lossless: int = 1,
) -> tuple[Outcome, ...]:
    """At most ``k`` outcomes for the confirmation, fastest first. ``speeds``: original's time / its time by candidate
    key, where something better than the judgements' ratio is known.

    Only those whose selection evidence makes the promise plausible and that are not slower than the original. The
    fastest ``lossless`` ones are always among them (where they are no slower), so that there is an answer to certify;
    no other lossless ones, and of products that are the same file on the same engine the fastest alone. Where more
    than ``k`` qualify, safe ones go before thin ones, then the faster.
    """

    def speed(outcome: Outcome) -> float:
        key = outcome.candidate.key
        return (judgements[key].ratio or 0.0) if speeds is None else speeds.get(key, 0.0)

    eligible = [
        o
        for o in outcomes
        if (j := judgements[o.candidate.key]).status in ("competes", "undecided", "dominated")
        and j.plausible
        and speed(o) > 1.0
    ]
    eligible.sort(key=lambda o: (-speed(o), o.number))
    chosen: list[Outcome] = []
    seen: set[tuple[str, str]] = set()
    for outcome in eligible:
        twin = (outcome.artifact or outcome.candidate.key, outcome.candidate.engine)
        if twin not in seen:
            seen.add(twin)
            chosen.append(outcome)
    must = [o for o in chosen if o.lossless][:lossless]
    rest = sorted(
        (o for o in chosen if not o.lossless), key=lambda o: (not judgements[o.candidate.key].safe, -speed(o), o.number)
    )
    kept = (must + rest)[: max(k, 1)]
    return tuple(sorted(kept, key=lambda o: (-speed(o), o.number)))


def front(outcomes: Sequence[Outcome], original: Outcome) -> tuple[Outcome, ...]:
    """The measured outcomes that no other beats in both accuracy and speed, fastest first; of equals the earliest.

    The original counts as 1.00x, whether or not it was timed against itself.
    """
    measured: list[tuple[Outcome, float]] = []
    for outcome in outcomes:
        speed = 1.0 if outcome.candidate.key == original.candidate.key else ratio(outcome)
        if outcome.failure is None and speed is not None:
            measured.append((outcome, speed))
    measured.sort(key=lambda pair: (-pair[1], -_score(pair[0]), pair[0].number))
    kept: list[Outcome] = []
    for outcome, _ in measured:
        if all(_score(outcome) > _score(o) for o in kept):
            kept.append(outcome)
    return tuple(kept)


def refusals(outcomes: Sequence[Outcome], judgements: Mapping[str, Judgement]) -> tuple[Refusal, ...]:
    """Every candidate that lost, in the order tried, and why in words."""
    return tuple(
        Refusal(o.candidate, j.words)
        for o in outcomes
        if (j := judgements[o.candidate.key]).status not in ("original", "competes")
    )


def _score(outcome: Outcome) -> float:
    """A lossless outcome without a metric (no data) is as accurate as can be."""
    return outcome.metric if outcome.metric is not None else (1.0 if outcome.lossless else 0.0)


def _accuracy(outcome: Outcome, claim: AccuracyClaim | None, promise: Promise) -> Accuracy:
    if claim is None:
        return "kept" if outcome.lossless else "unknown"
    if claim.verdict.holds:
        return "kept"
    if claim.verdict is AccuracyVerdict.LOST or _drop(claim) - _standard_error(claim) > claim.margin:
        return "lost"
    share = _drop(claim) / claim.margin if claim.margin > 0 else float(_drop(claim) > 0)
    if promise.kind == "equal":
        return "kept" if outcome.lossless else "unknown"
    return "likely" if share <= LIKELY_SHARE else "thin"


def _drop(claim: AccuracyClaim) -> float:
    """How far below the original the estimate lies, 0..1; for agreement the share of answers that differ."""
    return claim.original - claim.candidate


def _standard_error(claim: AccuracyClaim) -> float:
    """Of the paired difference, from the counts; of a bootstrap over images from its bound; else 0.

    A few hundred samples must not refuse what 2,000 would certify: of candidates that lose nothing and differ on 6 %
    of 256 samples, a quarter seem to lose a point.
    """
    if claim.n == 0:
        return 0.0
    if claim.test.startswith("paired bootstrap over images"):
        return max(0.0, -_drop(claim) - claim.lower) / NormalDist().inv_cdf(1 - claim.alpha)
    differ, loss = (claim.n12 + claim.n21) / claim.n, (claim.n21 - claim.n12) / claim.n
    return math.sqrt(max(differ - loss * loss, 0.0) / claim.n)


def _lost_words(claim: AccuracyClaim | None, promise: Promise) -> str:
    if claim is None:
        raise ValueError("accuracy cannot be lost without a claim")
    if promise.kind == "agreement":
        return f"lost: {_drop(claim):.1%} of the answers differ, promise {claim.margin:.1%}".replace("%", " %")
    return f"lost: {_points(_drop(claim))} points below, promise {_points(claim.margin)}"


def _thin_words(claim: AccuracyClaim, promise: Promise) -> str:
    need = f", about {claim.need:,} would decide" if claim.need else ""
    if promise.kind == "agreement":
        drop = f"{_drop(claim):.1%} of the answers differ".replace("%", " %")
    else:
        drop = f"{_points(_drop(claim))} points below"
    return f"undecided: {drop}, {claim.n:,} samples do not show it within the promise{need}"


def _points(share: float) -> str:
    """0.022 -> "2.2"; a small figure keeps enough digits to differ from nothing."""
    points = 100 * share
    return f"{points:.1f}" if abs(points) >= 0.05 or points == 0 else f"{points:.2g}"


def _slower_words(claim: SpeedClaim, workloads: int) -> str:
    where = f" at {claim.workload.label}" if workloads > 1 else ""
    return f"slower: {_ratio_words(claim)}{where}"


def _ratio_words(claim: SpeedClaim) -> str:
    r = claim.ratio
    return f"{r.estimate:.2f}x [{r.low:.2f}, {r.high:.2f}]"
