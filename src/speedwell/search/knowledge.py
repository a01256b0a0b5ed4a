"""What a candidate will probably cost and bring: from what this run has measured, from priors before that."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from speedwell.core import Candidate, Outcome, Step

from .estimates import Estimates
from .judgement import Judgement
from .latency import ratio
from .space import Space

__all__ = ["Knowledge", "Row", "names"]


@dataclass(frozen=True, eq=False)
class Row:
    """One trial and what is asked of it again and again. ``shape``: ``Space.speed_key`` of its candidate. ``ratio``:
    None where it failed or was not timed.
    """

    outcome: Outcome
    judgement: Judgement
    lossy: tuple[Step, ...]
    shape: tuple[str, tuple[str, ...]]
    repair: int
    ratio: float | None


class Knowledge:
    """Estimates of one moment: priors, corrected by ``outcomes`` and their ``judgements``."""

    def __init__(
        self, space: Space, estimates: Estimates, outcomes: Sequence[Outcome], judgements: Mapping[str, Judgement]
    ) -> None:
        self.space = space
        self.estimates = estimates
        keys = [o.candidate.key for o in outcomes]
        self.tried = dict(zip(keys, outcomes, strict=True))
        self.rows = tuple(
            Row(
                outcome,
                judgements[key],
                space.lossy_steps(outcome.candidate),
                space.speed_key(outcome.candidate),
                space.repair_of(outcome.candidate) or 0,
                ratio(outcome) if outcome.failure is None else None,
            )
            for key, outcome in zip(keys, outcomes, strict=True)
        )
        measured = [o.seconds - o.build_seconds for o in outcomes if o.failure is None and o.seconds > 0]
        self._trial_seconds = max(0.0, median(measured)) if measured else estimates.trial_seconds
        # The speed to beat: the best ratio among the safe outcomes; 1.0 for the original itself.
        self.bar = max([1.0, *(j.ratio for r in self.rows if (j := r.judgement).safe and j.ratio)])

    def cost(self, candidate: Candidate) -> float:
        """Seconds that the trial will take: from the most similar trial measured, else from the priors."""
        wanted = self.space.speed_key(candidate)
        alike = [r.outcome.build_seconds for r in self.rows if r.outcome.failure is None and r.shape == wanted]
        if alike:
            return self._trial_seconds + max(alike)
        e = self.estimates
        steps = sum(e.step_seconds.get(s.name, e.other_step_seconds) for s in candidate.steps)
        return self._trial_seconds + steps + e.engine_seconds.get(candidate.engine, e.other_engine_seconds)

    def measured_ratio(self, candidate: Candidate) -> float | None:
        """The ratio of the same passes on the same engine, unrepaired, at other settings that do not change the speed
        (a calibration method does not); None where none was measured.
        """
        wanted = self.space.speed_key(candidate)
        found = [r.ratio for r in self.rows if r.ratio is not None and r.shape == wanted and not r.repair]
        return median(found) if found else None

    def ratio(self, candidate: Candidate) -> float:
        """Expected baseline time / candidate time."""
        known = self.measured_ratio(candidate)
        if known is not None:
            return known
        e = self.estimates
        base = self._lossless_ratio(candidate.engine) or e.engine_ratio.get(candidate.engine, 1.0)
        lossy = self.space.lossy_steps(candidate)
        if not lossy:
            return base
        return base * (
            self._measured_factor(lossy) or math.prod(self._prior(s, e.trait_ratio, e.other_ratio) for s in lossy)
        )

    def holds(self, candidate: Candidate) -> float:
        """The chance, 0..1, that the promise survives."""
        lossy = self.space.lossy_steps(candidate)
        if not lossy:
            return 1.0
        # The same graph gives nearly the same answers in every engine, so what one engine showed counts for all.
        elsewhere = [r.judgement for r in self.rows if r.lossy == lossy and r.judgement.accuracy != "unknown"]
        if elsewhere:
            return 0.95 if any(j.safe for j in elsewhere) else 0.5 if any(j.plausible for j in elsewhere) else 0.1
        e = self.estimates
        chance = math.prod(self._prior(s, e.trait_holds, e.other_holds) * self._rank(s) for s in lossy)
        return float(chance * 0.7 ** len(self._lost_siblings(lossy)))

    def _lost_siblings(self, lossy: tuple[Step, ...]) -> set[tuple[str, ...]]:
        """The other settings of the same passes that lost too much accuracy."""
        return {
            tuple(s.label for s in r.lossy)
            for r in self.rows
            if names(r.lossy) == names(lossy) and not r.repair and r.judgement.accuracy == "lost"
        }

    def _prior(self, step: Step, table: Mapping[str, float], other: float) -> float:
        values = [table[t] for t in sorted(self.space.offer(step).gives.needs) if t in table]
        return math.prod(values) if values else other

    def _rank(self, step: Step) -> float:
        """Choices come best guess first."""
        choices = self.space.offer(step).choices
        return 0.9 ** choices.index(step) if step in choices else 1.0

    def _lossless_ratio(self, engine: str) -> float | None:
        found = [r.ratio for r in self.rows if r.ratio is not None and r.shape[0] == engine and not r.lossy]
        return max(found) if found else None

    def _measured_factor(self, lossy: tuple[Step, ...]) -> float | None:
        """How much the same lossy passes gained over float32 on other engines."""
        factors = [
            r.ratio / base
            for r in self.rows
            if r.ratio is not None
            and names(r.lossy) == names(lossy)
            and not r.repair
            and (base := self._lossless_ratio(r.shape[0]))
        ]
        return median(factors) if factors else None


def names(steps: Sequence[Step]) -> tuple[str, ...]:
    """The passes, without their settings."""
    return tuple(s.name for s in steps)
