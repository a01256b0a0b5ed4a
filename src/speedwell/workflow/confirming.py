"""The confirmation: a split opened once, then fresh processes timed in shared rounds.

Finalists, their order, the margin, the test and n are in the ledger before the split is looked at. They are tested in
that order, safest first, each at the full alpha, until one fails (a fixed sequence controls the family's error), so
what is certified never depends on what the split showed of a later one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..core.candidate import Candidate
from ..core.errors import SpeedwellError
from ..core.evidence import Evidence
from ..core.outcome import Outcome, Timing
from ..core.result import Confirmation
from ..core.verdict import AccuracyClaim, AccuracyVerdict, Promise, SpeedClaim, SpeedVerdict
from ..measure import AGAIN, Control, a_a_control, run_rounds, speed_claim, with_control
from ..report import Progress, candidate_label
from ..search import Judgement, Ledger, seconds_per_run
from .comparing import judged
from .data_job import encode_confirmation
from .heat import HEAT_ROUNDS, contenders, run_heat
from .preparation import OPEN_SECONDS, sets_of
from .prepared import Prepared
from .searching import Search
from .trial import turns

__all__ = ["FINALISTS", "Confirmed", "confirm", "expected_cost"]

FINALISTS = 5
OPENING_MOST = 2.0
"""A finalist's product is built already when it is opened again: its first trial's time is no guide beyond this."""
SECONDS_A_ROUND = 1.0
"""Timed calls of one session in one round take about this long at most."""
TEST = {"accuracy": "paired non-inferiority", "agreement": "Clopper-Pearson bound", "equal": "outputs equal"}


@dataclass(frozen=True, eq=False)
class Confirmed:
    """``evidence`` on the confirmation split by candidate key; ``a_a``: the original against itself per workload.

    ``float32``: the fastest candidate that changes no answer (or the original), the second baseline.
    """

    confirmations: tuple[Confirmation, ...]
    a_a: tuple[SpeedClaim, ...]
    evidence: Mapping[str, Evidence]
    float32: Candidate
    timings: Mapping[str, tuple[Timing, ...]]
    warnings: tuple[str, ...] = ()

    @property
    def best(self) -> Confirmation | None:
        """The fastest certified one, by the geometric mean over workloads; None where there is none."""

        def speed(confirmation: Confirmation) -> float:
            against = [c.ratio.estimate for c in confirmation.speed if c.baseline == "original"]
            return float(np.exp(np.mean(np.log(against))))

        return max((c for c in self.confirmations if c.certified), key=speed, default=None)


def expected_cost(prepared: Prepared, original: Outcome, outcomes: Sequence[Outcome]) -> float:
    """Seconds that confirming will take: rounds of fresh processes, and the answers on the confirmation split."""
    base = seconds_per_run(original) or 0.0
    good = [o for o in outcomes if o.failure is None and o.candidate.steps]
    others = [min(o.build_seconds, OPENING_MOST) for o in good] or [OPENING_MOST / 2]
    # two open at once: the original beside the finalists, the fastest float32 engine and the control
    sessions = max(original.build_seconds, 3.0 * float(np.median(others)))
    calls = min(prepared.settings.calls * base, SECONDS_A_ROUND) * 2 * len(prepared.workloads)
    answers = prepared.confirmation * (2.0 * base + prepared.data.encode_seconds)
    return (prepared.settings.rounds + HEAT_ROUNDS) * (sessions + calls) + answers


def choose(search: Search, progress: Progress) -> tuple[Outcome, ...]:
    """The finalists in the order of testing: safest first, each faster than the one before."""
    entered = contenders(search)
    judgements = search.judgements()
    speeds = {o.candidate.key: judgements[o.candidate.key].ratio or 0.0 for o in entered}
    if len(entered) > 1:
        progress.note(f"Timing the {len(entered)} fastest in {HEAT_ROUNDS} rounds of fresh processes")
        search.bench.close()
        speeds = dict(run_heat(search, entered))
    ordered = sorted(
        (o for o in entered if speeds.get(o.candidate.key, 0.0) > 1.0),
        key=lambda o: (not o.lossless, _loss(o, search.original), -speeds[o.candidate.key]),
    )
    front: list[Outcome] = []
    for outcome in ordered:
        if all(speeds[outcome.candidate.key] > speeds[o.candidate.key] for o in front):
            front.append(outcome)
    return tuple(front[-FINALISTS:])


def confirm(search: Search, ledger: Ledger, progress: Progress) -> Confirmed:
    """Open the confirmation split for the finalists (or go on with an opening that a crash cut off)."""
    p = search.prepared
    by_key = {o.candidate.key: o for o in search.outcomes}
    cut_off = ledger.unclosed
    if cut_off is not None:
        declared, _, alpha = cut_off
        chosen = [by_key[c.key] for c in declared.finalists if c.key in by_key]
        p = replace(p, confirmation=int(declared.body["n"]))
    else:
        chosen = list(choose(search, progress))
        alpha = p.promise.alpha
        if chosen:
            facts = {"workloads": p.workloads, "order": "fixed sequence, safest first", "rounds": p.settings.rounds}
            names = [o.candidate for o in chosen]
            ledger.declare(names, p.promise, _test(search), p.confirmation, facts)
            ordinal, alpha = ledger.open_confirmation()
            if ordinal > 1:
                progress.warning(f"The confirmation split is opened for time {ordinal}: alpha is {alpha:g} now.")
    promise = replace(p.promise, alpha=alpha)
    warnings: list[str] = []
    claims, evidence = _accuracy(search, p, chosen, promise, progress, warnings)
    kept = [o for o in chosen if claims[o.candidate.key].verdict.holds]
    float32 = next((o for o in chosen if o.lossless), None) or _float32(search, by_key)
    speed, a_a, timings = _speed(search, p, kept, float32, progress, warnings)
    confirmations = tuple(_confirmation(o, claims[o.candidate.key], speed.get(o.candidate.key, ())) for o in chosen)
    if chosen:
        ledger.close_confirmation({c.candidate.key: c.accuracy.verdict.value for c in confirmations})
    return Confirmed(confirmations, a_a, evidence, float32.candidate, timings, tuple(warnings))


def _test(search: Search) -> str:
    """The test that will be made, for the ledger."""
    evidence, kind = search.original.evidence, search.prepared.promise.kind
    if kind == "accuracy" and evidence is not None and evidence.kind == "matches":
        return "paired bootstrap of average precision over images"
    return TEST[kind]


def _accuracy(
    search: Search,
    p: Prepared,
    chosen: Sequence[Outcome],
    promise: Promise,
    progress: Progress,
    warnings: list[str],
) -> tuple[dict[str, AccuracyClaim], dict[str, Evidence]]:
    claims: dict[str, AccuracyClaim] = {}
    evidence: dict[str, Evidence] = {}
    if not chosen:
        return claims, evidence
    if p.data.none:
        n = len(p.checks)
        for outcome in chosen:
            claims[outcome.candidate.key] = AccuracyClaim(
                AccuracyVerdict.KEPT, 1.0, 1.0, 0.0, 0.0, n, "outputs equal within float32 rounding on generated inputs"
            )
        return claims, evidence
    search.bench.close()
    if not (p.folder / "confirmation" / "split.json").is_file():
        progress.note(f"Encoding {p.confirmation:,} confirmation samples")
        reply = search.workers.job(
            encode_confirmation, max(OPEN_SECONDS, 4 * p.confirmation * p.data.encode_seconds),
            model=p.model, task=p.data.task, sets=sets_of(p.settings), options=dict(p.settings.options),
            folder=p.folder, seed=p.settings.seed, n=p.confirmation,
        )  # fmt: skip
        if reply.value["bad"]:
            warnings.append(f"{len(reply.value['bad'])} confirmation samples cannot be read and are left out.")
    original = search.original
    progress.note("Answering the confirmation split: the original")
    base = evidence[original.candidate.key] = _answers(search, p, original)
    failed = False
    for outcome in chosen:
        key = outcome.candidate.key
        if failed:
            claims[key] = AccuracyClaim(
                AccuracyVerdict.UNDECIDED, 0.0, 0.0, -1.0, promise.margin, 0, "not tested",
                note="a safer finalist failed before it, so it was not tested",
            )  # fmt: skip
            continue
        progress.note(f"Answering the confirmation split: {candidate_label(outcome.candidate, original.candidate)}")
        evidence[key] = _answers(search, p, outcome)
        claim = judged(base, evidence[key], len(base), promise)
        if claim is None:
            raise SpeedwellError("the confirmation split holds no sample that both answered")
        claims[key] = claim
        failed = not claim.verdict.holds
    return claims, evidence


def _answers(search: Search, p: Prepared, outcome: Outcome) -> Evidence:
    """All of the confirmation split, in a fresh process."""
    built = search.bench.build(outcome.candidate)
    batch = search.bench.answer_batch(outcome.lossless)
    each = (seconds_per_run(outcome) or 0.1) / p.settings.batch
    seconds = 60.0 + 10.0 * p.confirmation * each
    with search.bench.open(built.model, outcome.candidate.engine) as remote:
        reply = remote.call(
            "evaluate", seconds=seconds, split=p.folder / "confirmation", start=0, stop=p.confirmation, batch=batch
        )
    return Evidence.of_arrays(reply.value["kind"], reply.arrays)


def _float32(search: Search, by_key: Mapping[str, Outcome]) -> Outcome:
    """The fastest measured candidate that changes no answer; the original where none is faster."""
    judgements: Mapping[str, Judgement] = search.judgements()
    lossless = [o for o in by_key.values() if o.lossless and o.failure is None]
    return max(lossless, key=lambda o: judgements[o.candidate.key].ratio or 0.0)


def _speed(
    search: Search,
    p: Prepared,
    kept: Sequence[Outcome],
    float32: Outcome,
    progress: Progress,
    warnings: list[str],
) -> tuple[dict[str, tuple[SpeedClaim, ...]], tuple[SpeedClaim, ...], dict[str, tuple[Timing, ...]]]:
    """Claims per candidate key: per workload against the original, then against the fastest float32 engine.

    The control times the fastest finalist twice in each round: of all sides it has the shortest calls, which noise
    disturbs most, and it opens quickly.
    """
    if not kept:
        return {}, (), {}
    judgements = search.judgements()
    fastest = max(kept, key=lambda o: judgements[o.candidate.key].ratio or 0.0).candidate.key
    sides = {o.candidate.key: o for o in (search.original, float32, *kept)}
    names = {key: candidate_label(o.candidate, search.original.candidate) for key, o in sides.items()}
    names[search.original.candidate.key] = "original"
    openers = with_control({key: search.bench.opener(o.candidate) for key, o in sides.items()}, fastest)
    calls = [_calls(p, i, [search.original, float32, *kept]) for i in range(len(p.workloads))]
    block, settle = turns(max(seconds_per_run(o) or 0.0 for o in sides.values()))
    rng = np.random.default_rng(p.settings.seed + 1)
    told = p.settings.rounds
    taken = run_rounds(openers, told, calls, rng, lambda n: progress.confirming(n, told), block=block, settle=settle)
    for key, failure in taken.failures.items():
        warnings.append(
            f"{names.get(key, 'the control')} failed while it was timed and was left out: {failure.message}"
        )
    controls: dict[int, Control] = {}
    for i, workload in enumerate(p.workloads):
        if pairs := taken.pairs(fastest, fastest + AGAIN, i):
            controls[i] = a_a_control(pairs, f"{names[fastest]}, against itself", workload)
            if controls[i].noisy:
                warnings.append(
                    f"The machine is noisy: {names[fastest]} against itself spreads by "
                    f"{100 * controls[i].spread:.1f} %; "
                    f"no claim under {controls[i].floor:.2f}x is made ({workload.label})."
                )
    claims: dict[str, tuple[SpeedClaim, ...]] = {}
    timings: dict[str, tuple[Timing, ...]] = {}
    original = search.original.candidate.key
    for outcome in kept:
        key = outcome.candidate.key
        claims[key] = tuple(
            speed_claim(pairs, names[base], workload, controls.get(i))
            for base in dict.fromkeys((original, float32.candidate.key))
            for i, workload in enumerate(p.workloads)
            if base != key and (pairs := taken.pairs(base, key, i))
        )
        timings[key] = tuple(taken.timing(w, original, key, i) for i, w in enumerate(p.workloads))
    return claims, tuple(c.claim for c in controls.values()), timings


def _calls(p: Prepared, workload: int, outcomes: Sequence[Outcome]) -> int:
    """Calls a round: as asked, fewer where the slowest side would take longer than ``SECONDS_A_ROUND``."""
    times = [float(np.median(o.timings[workload].candidate[0])) for o in outcomes if len(o.timings) > workload]
    return min(p.settings.calls, max(5, int(SECONDS_A_ROUND / max([*times, 1e-6]))))


def _confirmation(outcome: Outcome, accuracy: AccuracyClaim, speed: tuple[SpeedClaim, ...]) -> Confirmation:
    against = [c for c in speed if c.baseline == "original"]
    faster = bool(against) and all(c.verdict is SpeedVerdict.FASTER for c in against)
    reason = ""
    if not accuracy.verdict.holds:
        reason = accuracy.note or f"the promise is {accuracy.verdict.value}"
    elif not against:
        reason = "it could not be timed"
    elif not faster:
        worst = min(against, key=lambda c: c.ratio.low)
        reason = worst.note or f"not shown to be faster than the original at {worst.workload.label}"
    return Confirmation(outcome.candidate, accuracy, speed, accuracy.verdict.holds and faster, reason)


def _loss(outcome: Outcome, original: Outcome) -> float:
    """By how much the candidate is worse on the selection split: the order of safety."""
    if outcome.evidence is None or original.evidence is None:
        return 0.0
    n = min(len(outcome.evidence), len(original.evidence))
    mine, theirs = outcome.evidence, original.evidence
    if len(mine.scores):
        return theirs.metric(np.arange(n)) - mine.metric(np.arange(n))
    return float((theirs.answers[:n] != mine.answers[:n]).mean())


def scores_path(folder: Path) -> Path:
    """Where the confirmation's answers are kept in a run."""
    return folder / "confirmation.npz"
