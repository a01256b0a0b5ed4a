"""The verdict in words, from a ``core.Result``: what was won, at what price, how sure.

"Kept" can be false 1 time in 20 at the margin, so no sentence says "never"; bounds carry their level and their n.
"""

from __future__ import annotations

import re
from typing import Literal

from ..core import AccuracyClaim, AccuracyVerdict, Confirmation, Promise, Result, SpeedClaim, SpeedVerdict
from .labels import candidate_label
from .words import bound_points, count, interval, percent, plain, points, ratio, sure

__all__ = [
    "VerdictKind", "accuracy_words", "baseline_label", "confirmation_of", "metric_of", "promise_words", "speed_words",
    "verdict_kind", "verdict_sentence", "winner_confirmation",
]  # fmt: skip

VerdictKind = Literal["certified", "keep", "undecided", "unconfirmed"]


def promise_words(promise: Promise, original: float | None = None) -> str:
    """ "at most 1 point below the original (at least 94.3 %), 95 % sure"."""
    if promise.kind == "agreement":
        return f"the original's own answer on at least {_share(1 - promise.margin)} of inputs, {sure(promise.alpha)}"
    if promise.kind == "equal":
        return "outputs equal to the original's within float32 rounding (no data was given)"
    floor = f" (at least {percent(original - promise.margin)})" if original is not None else ""
    return f"at most {points(promise.margin)} below the original{floor}, {sure(promise.alpha)}"


def _share(value: float) -> str:
    text = f"{100 * value:.2f}".rstrip("0").rstrip(".")
    return f"{text} %"


def winner_confirmation(result: Result) -> Confirmation | None:
    """The confirmation of ``result.best``, or None."""
    return confirmation_of(result, result.best.key) if result.best is not None else None


def confirmation_of(result: Result, key: str) -> Confirmation | None:
    """The confirmation of the candidate with that key, or None."""
    return next((c for c in result.confirmations if c.candidate.key == key), None)


def verdict_kind(result: Result) -> VerdictKind:
    """certified: a winner with a kept promise, proven faster; unconfirmed: a best so far without that proof;
    undecided: nothing won and the data could not decide at least one finalist; keep: the original stays.
    """
    won = winner_confirmation(result)
    if result.best is not None:
        return "certified" if won is not None and won.certified else "unconfirmed"
    undecided = any(c.accuracy.verdict is AccuracyVerdict.UNDECIDED for c in result.confirmations)
    return "undecided" if undecided else "keep"


def accuracy_words(claim: AccuracyClaim, promise: Promise) -> str:
    """ "on 4,500 samples never looked at before: 95.2 % against 95.3 %; at worst 0.57 points lower (95 % sure)"."""
    if promise.kind == "equal":
        return f"outputs equal to the original's on {count(claim.n)} generated inputs"
    seen = f"on {count(claim.n)} {'images' if metric_of(claim) else 'samples'} never looked at before"
    if promise.kind == "agreement":
        return (
            f"{seen}: {_share(claim.candidate)} of answers are the original's; "
            f"at most {bound_points(claim.lower).split()[0]} % differ ({sure(claim.alpha)})"
        )
    return f"{seen}: {_scores(claim)}; {bound_words(claim)}"


def metric_of(claim: AccuracyClaim) -> str:
    """ "AP" or "AP50" where average precision was compared, "" for a share of right answers or a score of one's own."""
    found = re.match(r"paired bootstrap over images of (AP\d*)", claim.test)
    return found[1] if found else ""


def _scores(claim: AccuracyClaim) -> str:
    unit = f" {metric_of(claim)}" if metric_of(claim) else ""
    return f"{percent(claim.candidate)}{unit} against {percent(claim.original)}"


def bound_words(claim: AccuracyClaim) -> str:
    """ "at worst 0.57 points lower (95 % sure)", or how much better it is at least."""
    if claim.lower > 0:
        return f"at least {points(_floor(claim.lower))} higher ({sure(claim.alpha)})"
    if claim.lower == 0:
        return f"at worst equal ({sure(claim.alpha)})"
    return f"at worst {bound_points(claim.lower)} lower ({sure(claim.alpha)})"


def _floor(share: float) -> float:
    return int(round(share * 1e4, 6)) / 1e4


def baseline_label(claim: SpeedClaim) -> str:
    """ "the original", or the fastest float32 engine by its label."""
    return "the original" if claim.baseline == "original" else f"the fastest float32 engine ({plain(claim.baseline)})"


def speed_words(claim: SpeedClaim) -> str:
    """ "3.39x the speed of the original [3.35, 3.44]"."""
    return f"{ratio(claim.ratio.estimate)} the speed of {baseline_label(claim)} {interval(claim.ratio)}{_few(claim)}"


def _few(claim: SpeedClaim) -> str:
    """What must stand beside an interval from too few pairs for a claim."""
    return "" if claim.is_claim else f" (an estimate from {claim.pairs} rounds, no claim)"


def verdict_sentence(result: Result) -> str:
    """One sentence (two where the answer needs a reason) that a person reads first."""
    kind = verdict_kind(result)
    won = winner_confirmation(result)
    if kind == "certified" and won is not None:
        return _certified(won, result.promise)
    if kind == "unconfirmed" and result.best is not None:
        label = candidate_label(result.best, result.original.candidate)
        why = f" ({plain(won.reason)})" if won is not None and won.reason else ""
        return f"Not confirmed{why}: the best so far is {label}. Its promise has not been proven."
    if kind == "undecided":
        return _undecided(result)
    return _keep(result)


def _certified(won: Confirmation, promise: Promise) -> str:
    claim = won.accuracy
    speed = next((s for s in won.speed if s.baseline == "original"), None)
    gain = "Faster than the original"
    if speed:
        gain = f"{ratio(speed.ratio.estimate, '')} times as fast as the original {interval(speed.ratio)}{_few(speed)}"
    if promise.kind == "equal":
        return f"{gain}, with outputs equal within float32 rounding; without data, accuracy was not measured."
    if promise.kind == "agreement":
        differ = bound_points(claim.lower).split()[0]
        return f"{gain}; at most {differ} % of answers differ from the original's ({sure(claim.alpha)}). Promise kept."
    return f"{gain} at {_scores(claim)}: {bound_words(claim)}. Promise kept."


def _undecided(result: Result) -> str:
    unsure = [c for c in result.confirmations if c.accuracy.verdict is AccuracyVerdict.UNDECIDED]
    best = max(unsure, key=lambda c: c.speed[0].ratio.estimate if c.speed else 0.0)
    claim = best.accuracy
    label = candidate_label(best.candidate, result.original.candidate)
    text = f"Undecided: {count(claim.n)} samples cannot show {points(claim.margin)} for {label}"
    if claim.need > 0:
        differ = (claim.n12 + claim.n21) / claim.n if claim.n else 0.0
        text += f"; about {count(claim.need)} would"
        text += f" at the {percent(differ)} of answers that changed here" if differ else " if no answer changed"
    return text + ". Keep the original until then."


def _keep(result: Result) -> str:
    if not result.confirmations and not result.refused:
        return "Keep the original: no candidate was measured" + (
            " in the time there was. Ask for a longer --budget." if result.environment.get("not tried") else "."
        )
    text = "Keep the original: no candidate was faster with its promise kept."
    near = _nearest(result)
    return f"{text} Nearest: {near}." if near else text


def _nearest(result: Result) -> str:
    """The finalist (else the first refused candidate) that came closest, and why it lost."""
    original = result.original.candidate
    tried = [c for c in result.confirmations if c.candidate.key != original.key]
    if tried:
        near = max(
            tried, key=lambda c: (c.accuracy.verdict.holds, c.speed[0].ratio.estimate if c.speed else float("-inf"))
        )
        return f"{candidate_label(near.candidate, original)}, {plain(near.reason) or _why(near)}".rstrip(".")
    refused = next((r for r in result.refused if r.candidate.key != original.key), None)
    if refused is None:
        return ""
    return f"{candidate_label(refused.candidate, original)}, {plain(refused.reason)}".rstrip(". ")


def _why(confirmation: Confirmation) -> str:
    if not confirmation.accuracy.verdict.holds:
        return bound_words(confirmation.accuracy)
    speed = confirmation.speed[0] if confirmation.speed else None
    if speed is None:
        return "never timed"
    if speed.verdict is SpeedVerdict.UNDECIDED:
        return f"not shown to be faster {interval(speed.ratio)}"
    return speed_words(speed)
