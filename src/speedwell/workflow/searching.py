"""The search: propose, measure, write down, look again, until the time for it is used or nothing is worth trying."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..core.candidate import Candidate
from ..core.errors import JobError, SpeedwellError
from ..core.outcome import Outcome
from ..core.record import decode, encode
from ..core.verdict import Interval, Promise
from ..measure import Preflight, look_ahead, look_ahead_matches, settle_promise
from ..report import NullProgress, Progress, TrialRow, candidate_label
from ..search import Budget, Estimates, Judgement, Space, Store, judge_all, plan, propose, seconds_per_run
from .comparing import comparison_for
from .offering import BASE, Offers, engine_offers, gather_offers
from .prepared import Prepared
from .run_folder import RunFolder
from .trial import Bench
from .workers import Workers

__all__ = ["Search", "measured_plan"]

SELECTION_SHARE = 0.06
"""Answering the selection split may take the original this share of the budget."""
LEAST_SELECTION = 200
CONFIRMATION_SHARE = 0.2
LEAST_CONFIRMATION = 1000
LIMIT_SHARE, LIMIT_LEAST, LIMIT_MOST = 0.3, 60.0, 300.0
"""No single step of one candidate may take more of the budget than this: a hang must not eat the run."""


class Search:
    """One run's search. ``on_best(outcome)`` is called whenever a better candidate that competes is found."""

    def __init__(
        self,
        run: RunFolder,
        prepared: Prepared,
        workers: Workers,
        store: Store,
        budget: Budget,
        progress: Progress | None = None,
        on_best: Callable[[Outcome], None] | None = None,
    ) -> None:
        self.run = run
        self.prepared = prepared
        self.workers = workers
        self.store = store
        self.budget = budget
        self.progress: Progress = progress or NullProgress()
        self.on_best = on_best
        limit = min(LIMIT_MOST, max(LIMIT_LEAST, LIMIT_SHARE * budget.seconds))
        self.bench = Bench(prepared, workers, run.artifacts, limit)
        self.space: Space | None = None
        self.notes: tuple[str, ...] = ()
        self._best = ""

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        return self.store.outcomes()

    @property
    def original(self) -> Outcome:
        """The original's outcome. Raises ``JobError`` where it could not be measured."""
        key = self.prepared.candidate.key
        found = next((o for o in self.outcomes if o.candidate.key == key), None)
        if found is None:
            raise JobError("the original has not been measured yet")
        if found.failure is not None:
            failure = found.failure
            raise JobError(
                f"the original itself fails ({failure.stage}): {failure.message}", failure.detail, failure.kind.value
            )
        return found

    def judgements(self) -> dict[str, Judgement]:
        """Every finished trial's judgement, by candidate key."""
        return self._judged(self.outcomes)

    def _judged(self, outcomes: Sequence[Outcome]) -> dict[str, Judgement]:
        def name(candidate: Candidate) -> str:
            return candidate_label(candidate, self.prepared.candidate)

        promise = self.prepared.promise
        return judge_all(outcomes, self.original, promise, comparison_for(promise), name)

    def measure_original(self) -> Outcome:
        """Trial 0. Settles how many samples are looked at and what the promise means in numbers."""
        candidate = self.prepared.candidate
        done = {o.candidate.key for o in self.outcomes}
        if candidate.key not in done:
            self.progress.started(
                0, candidate_label(candidate, candidate), "the original, which all else is compared with"
            )
            try:
                self.bench.open_original()
            except JobError as error:
                fix = _channels(error.what + error.fix) or error.fix
                fix = fix or "Nothing can be compared with it: repair the model, or its weights, first."
                raise JobError(f"the original itself fails: {error.what}", fix, error.kind) from error
            self._choose_selection()
            self.store.begin(0, candidate)
            outcome = self.bench.measure(candidate, True, None, lambda _: True)
            outcome = self.store.finish(outcome)
            self.original  # noqa: B018 - raises where the original fails
            self._doubt()
            self._settle(outcome)
            self._show(outcome)
        return self.original

    def offer(self) -> Space:
        """The space, asked of passes and engines once per run."""
        p = self.prepared
        saved = self.run.require("run.json").get("offers")
        if saved is None:
            saved = self.workers.job(
                gather_offers,
                self.bench.limit_seconds,
                original=p.model,
                names=p.settings.passes,
                artifacts=self.run.artifacts,
                calibration=None if p.data.none else p.folder / "calibration",
                workload=p.workloads[0],
                hardware=self.workers.hardware,
                seed=p.settings.seed,
                budget_seconds=self.bench.limit_seconds,
            ).value
            self.run.update(offers=saved)
        offers = decode(Offers, saved)
        self.notes = offers.notes
        names = p.settings.engines
        if names and p.engine not in names:
            names = (p.engine, *names)
        engines = engine_offers(names, self.workers.hardware)
        self.space = Space(p.model.form, p.model.traits, p.engine, offers.passes, engines, not p.lossless_only)
        return self.space

    def go(self) -> None:
        """Measure candidates until the search's time is used. Each finished trial is stored before the next begins."""
        self.measure_original()
        space = self.space or self.offer()
        self._consider()
        while True:
            outcomes = self.outcomes
            proposal = propose(space, outcomes, self.judgements(), self.budget.for_search(), self.estimates())
            if proposal is None:
                return
            begun = {c.key: n for n, c in self.store.unfinished()}
            number = begun.get(proposal.candidate.key, self.store.next_number)
            label = candidate_label(proposal.candidate, self.prepared.candidate)
            waiting = plan(space, outcomes, self.judgements(), self.budget.for_search(), self.estimates()).waiting
            after = candidate_label(waiting[0].candidate, self.prepared.candidate) if waiting else ""
            self.progress.started(number, label, proposal.why, proposal.expected_ratio, after)
            self.store.begin(number, proposal.candidate)
            outcome = self.bench.measure(
                proposal.candidate, space.lossless(proposal.candidate), self.original, self._can_win
            )
            self.store.finish(outcome)
            self._consider()
            finished = next(o for o in self.outcomes if o.candidate.key == outcome.candidate.key)
            self._show(finished)
            self.budget = self.budget.with_confirmation_cost(self.confirmation_cost())

    def confirmation_cost(self) -> float:
        """Seconds that confirming will take, from what opening, calling and answering took so far."""
        from .confirming import expected_cost

        return expected_cost(self.prepared, self.original, self.outcomes)

    def estimates(self) -> Estimates:
        """Priors of cost: what the original took to time and answer; the shared steps are built before the search."""
        seconds = next((o.seconds for o in self.outcomes if not o.candidate.steps and o.failure is None), 10.0)
        return Estimates(trial_seconds=max(2.0, seconds), step_seconds={step.name: 0.2 for step in BASE})

    def _can_win(self, partial: Outcome) -> bool:
        """Whether a candidate that answered the first block is worth the rest: not lost, and faster than the best."""
        judgements = self.judgements()
        mine = self._judged([*self.outcomes, partial])
        judgement = mine[partial.candidate.key]
        bar = max([1.0, *(j.ratio for j in judgements.values() if j.safe and j.ratio and j.status == "competes")])
        return judgement.accuracy != "lost" and (judgement.ratio or 0.0) > bar

    def _consider(self) -> None:
        """Hand the best so far over where it is a new one."""
        judgements = self.judgements()
        rivals = [o for o in self.outcomes if judgements[o.candidate.key].status == "competes"]
        best = max(rivals, key=lambda o: judgements[o.candidate.key].ratio or 0.0, default=None)
        if best is not None and best.candidate.key != self._best:
            self._best = best.candidate.key
            if self.on_best is not None:
                self.on_best(best)

    def _show(self, outcome: Outcome) -> None:
        judgement = self.judgements()[outcome.candidate.key]
        original = self.original
        difference = None
        if outcome.evidence is not None and original.evidence is not None and len(outcome.evidence.scores):
            n = min(len(outcome.evidence), len(original.evidence))
            first = np.arange(n)
            difference = outcome.evidence.metric(first) - original.evidence.metric(first)
        speed = comparison_for(self.prepared.promise)(outcome, original).speed if outcome.timings else ()
        interval: Interval | None = speed[0].ratio if speed else None
        self.progress.finished(
            TrialRow(
                number=outcome.number,
                label=candidate_label(outcome.candidate, self.prepared.candidate),
                accuracy=outcome.metric,
                difference=None if outcome.lossless and not difference else difference,
                seconds=seconds_per_run(outcome),
                ratio=None if outcome.candidate.key == self.prepared.candidate.key else interval,
                words=judgement.words,
                best=outcome.candidate.key == self._best,
                failed=outcome.failure is not None,
            )
        )

    def _choose_selection(self) -> None:
        """How many selection and confirmation samples the budget pays for, from one block of the original's answers."""
        p = self.prepared
        if p.data.none:
            return
        remote = self.bench.open_original()
        block = min(32, p.selection)
        batch = self.bench.answer_batch(True)
        reply = remote.call("evaluate", split=p.folder / "selection", start=0, stop=block, batch=batch)
        each = reply.value["seconds"] / block
        wanted = int(SELECTION_SHARE * self.budget.seconds / max(each, 1e-9))
        selection = min(p.selection, max(LEAST_SELECTION, wanted))
        per_sample = 2.0 * each + p.data.encode_seconds
        wanted = int(CONFIRMATION_SHARE * self.budget.seconds / max(per_sample, 1e-9))
        confirmation = min(p.confirmation, max(LEAST_CONFIRMATION, wanted))
        self.prepared = replace(p, selection=selection, confirmation=confirmation)
        self.bench.prepared = self.prepared

    def _doubt(self) -> None:
        """Say what looks wrong with the original's own answers: it is the user's preprocessing more often than not."""
        p = self.prepared
        if p.data.none:
            return
        remote = self.bench.open_original()
        try:
            doubts = remote.call("doubts", split=p.folder / "selection", n=200, batch=p.settings.batch).value
        except SpeedwellError as error:
            doubts = [f"the original's own answers were not looked at: {error.what}"]
        remote.pause()
        for words in doubts:
            self.progress.warning(words)

    def _settle(self, original: Outcome) -> None:
        """The promise as a margin, and what the confirmation split can show of it (the pre-flight)."""
        p = self.prepared
        promise, sentence = p.promise, ""
        if promise.kind != "equal":
            promise, sentence = settled(promise, original, p.confirmation)
        if original.evidence is not None and original.evidence.kind == "matches":
            self.progress.note(sentence)  # the header could not say it: it takes the original's own answers
        self.prepared = replace(p, promise=promise, original_score=original.metric, preflight=sentence)
        self.bench.prepared = self.prepared
        self.run.update(prepared=encode(self.prepared))


def settled(promise: Promise, original: Outcome, n: int) -> tuple[Promise, str]:
    """A relative margin from the original's score, "auto" from what ``n`` samples can show; and the sentence."""
    evidence = original.evidence

    def ahead(margin: float) -> Preflight:
        if promise.kind != "agreement" and evidence is not None and evidence.kind == "matches":
            return look_ahead_matches(evidence, n, margin, promise.alpha)
        kind: Any = "agreement" if promise.kind == "agreement" else evidence.kind if evidence else "binary"
        return look_ahead(n, margin, kind, alpha=promise.alpha)

    if promise.stated == "auto":
        promise = settle_promise(promise, original.metric, ahead(0.0).tightest)
    else:
        promise = settle_promise(promise, original.metric)
    return promise, ahead(promise.margin).sentence


def _channels(words: str) -> str:
    """The way out where a convolution met images of another number of channels ("" for anything else).

    A factory's network does not say its channels, so preprocessing assumed some.
    """
    found = re.search(r"to have (\d+) channels, but got (\d+) channels", words)
    if not found or found[2] not in ("1", "3"):
        return ""
    ways = {"1": "Add --colour gray: the network takes", "3": "Add --colour rgb (or bgr): the network takes"}
    way = ways.get(found[1], "Repair the network, or give prepared arrays: it takes")
    return f"{way} {found[1]} channel(s), the images were given {found[2]}."


def measured_plan(search: Search) -> Mapping[str, str]:
    """What was not tried and why, by candidate label: for the report."""
    if search.space is None:
        return {}
    left = plan(search.space, search.outcomes, search.judgements(), search.budget.for_search(), search.estimates())
    return {r.candidate.label: r.reason for r in left.skipped}
