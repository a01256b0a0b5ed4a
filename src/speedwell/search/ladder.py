"""The order of the search: what costs no accuracy, then what costs little, best first, then repairs, then variants.

``propose`` is a pure function of what was measured and the time left, so a resumed run proposes what the
uninterrupted one would have.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from speedwell.core import Candidate, FailureKind, Outcome, Refusal, Step

from .estimates import Estimates
from .judgement import CLEARLY, Judgement
from .knowledge import Knowledge, names
from .proposal import Plan, Proposal, Rung
from .repair import repairs
from .space import Space

__all__ = ["plan", "propose"]

CHEAP_SHARE = 0.25  # a lossless trial that takes more of the time left waits until lossy ones had their turn
FAILURES = 2  # so many crashes or hangs, with nothing that worked, rule an engine out
_LEAST_GAIN = 0.02  # what an untried engine or pass is worth at least: priors may be wrong, measurements are not
_VIOLENT = {
    FailureKind.TIMEOUT, FailureKind.OUT_OF_MEMORY, FailureKind.CRASH, FailureKind.KILLED, FailureKind.SILENT_EXIT,
    FailureKind.WRONG_OUTPUT, FailureKind.NOT_FINITE, FailureKind.WRONG_SHAPE, FailureKind.WRONG_DTYPE,
}  # fmt: skip


def propose(
    space: Space,
    outcomes: Sequence[Outcome],
    judgements: Mapping[str, Judgement],
    budget_left: float,
    estimates: Estimates,
) -> Proposal | None:
    """The next trial, or None where nothing that fits into ``budget_left`` seconds is worth trying.

    ``judgements``: one per outcome, by candidate key (``judge_all``). The original is proposed first, whatever it
    costs; where it failed there is nothing to compare with, and nothing more is proposed. No candidate is proposed
    twice.
    """
    return plan(space, outcomes, judgements, budget_left, estimates).next


def plan(
    space: Space,
    outcomes: Sequence[Outcome],
    judgements: Mapping[str, Judgement],
    budget_left: float,
    estimates: Estimates,
) -> Plan:
    """``propose`` with all that waits behind it and all that is skipped, each with its reason."""
    original = space.original
    if any(o.failure is not None and o.candidate == original for o in outcomes):
        return Plan(None, (), ())
    known = Knowledge(space, estimates, outcomes, judgements)
    if original.key not in known.tried:
        first = Proposal(
            original, "the original, which all else is compared with", 1.0, known.cost(original), "original"
        )
        rest = _Round(known, budget_left)
        return Plan(first, tuple(_once(rest.proposals())), tuple(rest.skipped))
    current = _Round(known, budget_left)
    wanted = _once(current.proposals())
    fitting = [p for p in wanted if p.cost_seconds <= budget_left]
    late = [
        Refusal(
            p.candidate, f"not tried: it needs about {p.cost_seconds:.0f} s, {max(0.0, budget_left):.0f} s are left"
        )
        for p in wanted
        if p.cost_seconds > budget_left
    ]
    return Plan(fitting[0] if fitting else None, tuple(fitting[1:]), (*current.skipped, *late))


@dataclass(frozen=True)
class _Scored:
    score: float
    proposal: Proposal


class _Round:
    """One look at everything that is known: proposals rung by rung, and the reasons for the rest."""

    def __init__(self, known: Knowledge, budget_left: float) -> None:
        self.known = known
        self.space = known.space
        self.budget_left = budget_left
        self.skipped: list[Refusal] = []
        self._order = {self.space.key(c): i for i, c in enumerate(self.space.candidates)}
        self._lossless = _by(self.space, [c for c in self.space.candidates if self.space.lossless(c)])
        self._lossy = _by(self.space, [c for c in self.space.candidates if not self.space.lossless(c)])
        self._out = {e.name: why for e in self.space.engines if (why := self._engine_out(e.name))}
        tried = [r.outcome for r in known.rows]
        self._broken = [o.candidate.steps for o in tried if o.failure is not None and o.failure.stage == "build"]

    def proposals(self) -> Iterator[Proposal]:
        """Best first. ``skipped`` is complete once this is exhausted."""
        mains = [c for group in self._lossless.values() if (c := self._main(group)) is not None]
        lossless = [s for c in mains if (s := self._lossless_score(c)) is not None]
        cheap = [s for s in lossless if s.proposal.cost_seconds <= CHEAP_SHARE * self.budget_left]
        cheap.sort(key=lambda s: (s.proposal.cost_seconds, self._order[self.space.key(s.proposal.candidate)]))
        yield from (s.proposal for s in cheap)
        dear = [s for s in lossless if s not in cheap]
        single = [g for key, g in self._lossy.items() if len(key[1]) == 1]
        lossy = [s for g in single if (c := self._main(g)) is not None and (s := self._lossy_score(c)) is not None]
        yield from self._ranked(dear + lossy)
        yield from self._ranked(self._repairs())
        yield from self._ranked(self._variants())

    def _main(self, group: Sequence[Candidate]) -> Candidate | None:
        """The variant of a group (same engine, same lossy steps) to try now: the one with the most lossless steps,
        the next where that one failed; None once one worked, or all failed.
        """
        for candidate in (c for c in group if c != self.space.original):
            outcome = self.known.tried.get(self.space.key(candidate))
            if outcome is None:
                if not self._refused(candidate):
                    return candidate
            elif outcome.failure is None:
                return None
        return None

    def _lossless_score(self, candidate: Candidate) -> _Scored | None:
        ratio = self.known.ratio(candidate)
        return self._scored(candidate, "costs no accuracy", ratio, 1.0, "lossless", _LEAST_GAIN)

    def _lossy_score(self, candidate: Candidate) -> _Scored | None:
        ratio, chance = self.known.ratio(candidate), self.known.holds(candidate)
        if self.known.measured_ratio(candidate) is not None and ratio <= self.known.bar * CLEARLY:
            self._skip(
                candidate, f"not tried: such a network ran at {ratio:.2f}x here, {self.known.bar:.2f}x is there already"
            )
            return None
        return self._scored(candidate, self._chance_words(candidate, chance), ratio, chance, "lossy", _LEAST_GAIN)

    def _chance_words(self, candidate: Candidate, chance: float) -> str:
        lossy = self.space.lossy_steps(candidate)
        elsewhere = [r for r in self.known.rows if r.lossy == lossy and r.outcome.failure is None]
        if elsewhere:
            kept = any(r.judgement.safe for r in elsewhere)
            return f"the same steps {'kept' if kept else 'did not keep'} the promise on {elsewhere[-1].shape[0]}"
        return "costs little accuracy" if chance >= 0.5 else "may cost accuracy"

    def _repairs(self) -> Iterator[_Scored]:
        for repair in repairs(self.known):
            if repair.candidate is None:
                self._skip(repair.base, f"not repaired: {repair.why}")
            elif self.space.key(repair.candidate) not in self.known.tried and not self._refused(repair.candidate):
                scored = self._scored(repair.candidate, repair.why, repair.ratio, repair.chance, "repair", 0.0)
                if scored is not None:
                    yield scored

    def _variants(self) -> Iterator[_Scored]:
        """Two lossy passes together where each held alone; the engines with fewer lossless steps."""
        for (_, lossy), group in self._lossy.items():
            if len(lossy) > 1 and (candidate := self._main(group)) is not None:
                if all(self._held(group[0].engine, step) for step in self.space.lossy_steps(candidate)):
                    ratio, chance = self.known.ratio(candidate), self.known.holds(candidate)
                    scored = self._scored(
                        candidate, "each step alone kept the promise", ratio, chance, "variant", _LEAST_GAIN
                    )
                    if scored is not None:
                        yield scored
                else:
                    self._skip(candidate, "not tried: its steps did not all keep the promise alone")
        for group in self._lossless.values():
            for candidate in group:
                if self._open(candidate):
                    ratio = self.known.ratio(candidate)
                    scored = self._scored(candidate, "the same with fewer steps", ratio, 1.0, "variant", _LEAST_GAIN)
                    if scored is not None:
                        yield scored

    def _open(self, candidate: Candidate) -> bool:
        return (
            candidate != self.space.original
            and self.space.key(candidate) not in self.known.tried
            and not self._refused(candidate)
        )

    def _held(self, engine: str, step: Step) -> bool:
        return any(
            r.judgement.safe and r.shape[0] == engine and names(r.lossy) == (step.name,) for r in self.known.rows
        )

    def _scored(
        self, candidate: Candidate, why: str, ratio: float, chance: float, rung: Rung, least: float
    ) -> _Scored | None:
        cost = self.known.cost(candidate)
        gain = max(math.log(ratio / self.known.bar), least)
        return _Scored(gain * chance / max(cost, 1e-9), Proposal(candidate, why, ratio, cost, rung))

    def _ranked(self, scored: Iterable[_Scored]) -> list[Proposal]:
        last = len(self._order)
        ordered = sorted(
            scored,
            key=lambda s: (
                -s.score,
                s.proposal.cost_seconds,
                self._order.get(self.space.key(s.proposal.candidate), last),
            ),
        )
        return [s.proposal for s in ordered]

    def _refused(self, candidate: Candidate) -> bool:
        if why := self._out.get(candidate.engine):
            self._skip(candidate, f"not tried: {why}")
            return True
        if any(candidate.steps[: len(steps)] == steps for steps in self._broken):
            self._skip(candidate, "not tried: its steps failed before, and do not depend on the engine")
            return True
        return False

    def _engine_out(self, engine: str) -> str:
        own = [r.outcome for r in self.known.rows if r.shape[0] == engine]
        failures = [o.failure for o in own if o.failure is not None]
        if any(f.kind is FailureKind.UNAVAILABLE for f in failures):
            return f"{engine} is not available"
        lossless = [r.outcome.failure for r in self.known.rows if r.shape[0] == engine and not r.lossy]
        lacks = [f for f in lossless if f is not None and f.kind is FailureKind.UNSUPPORTED and f.stage != "build"]
        if len(lacks) >= FAILURES and len(failures) == len(own):
            # What it lacks for the network, fused and as it is, it lacks for every quantized form of it.
            return f"{engine} does not run this network: {lacks[0].message}"
        violent = [f for f in failures if f.kind in _VIOLENT and f.stage != "build"]
        if len(violent) >= FAILURES and len(failures) == len(own):
            return f"{engine} failed {len(violent)} times and never worked"
        return ""

    def _skip(self, candidate: Candidate, why: str) -> None:
        if all(r.candidate != candidate for r in self.skipped):
            self.skipped.append(Refusal(candidate, why))


def _once(proposals: Iterable[Proposal]) -> list[Proposal]:
    """Each candidate where it comes first."""
    first: dict[str, Proposal] = {}
    for proposal in proposals:
        first.setdefault(proposal.candidate.key, proposal)
    return list(first.values())


def _by(space: Space, candidates: Sequence[Candidate]) -> dict[tuple[str, tuple[str, ...]], list[Candidate]]:
    """Groups by engine and lossy steps (with settings), in the space's order; inside, most lossless steps first."""
    groups: dict[tuple[str, tuple[str, ...]], list[Candidate]] = {}
    for candidate in candidates:
        lossy = tuple(s.label for s in space.lossy_steps(candidate))
        groups.setdefault((candidate.engine, lossy), []).append(candidate)
    for group in groups.values():
        group.sort(key=lambda c: -len(c.steps))
    return groups
