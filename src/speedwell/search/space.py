"""Every pipeline that type-checks: steps slotted by their kinds, ended by an engine that reads the product.

No pass and no engine is known here by name: adding one changes nothing in this file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from speedwell.core import Candidate, Form, Step
from speedwell.core.errors import UnknownNameError

from .offers import EngineOffer, PassOffer

__all__ = ["MAX_LOSSY", "MAX_STEPS", "Space"]

MAX_STEPS = 5
MAX_LOSSY = 2


@dataclass(frozen=True)
class Space:
    """The original's ``form`` and ``traits``, the engine it runs on by itself, and what is offered.

    ``lossy`` False leaves out every pass that may change an answer (no data: nothing could judge it).
    Passes whose two orders both type-check are only taken in the order of ``passes``; a step that changes nothing
    comes before one that costs accuracy.
    """

    form: Form
    traits: frozenset[str]
    original_engine: str
    passes: tuple[PassOffer, ...]
    engines: tuple[EngineOffer, ...]
    lossy: bool = True

    @cached_property
    def original(self) -> Candidate:
        """No step, on its own engine. Raises ``UnknownNameError`` where that engine is not offered."""
        if self.original_engine not in {e.name for e in self.engines}:
            raise UnknownNameError(
                f"the original runs on {self.original_engine!r}, which is no engine here",
                f"There are: {', '.join(e.name for e in self.engines)}",
            )
        return Candidate((), self.original_engine)

    @cached_property
    def candidates(self) -> tuple[Candidate, ...]:
        """Every valid candidate once, the original first, then by number of steps, pass order and engine order.
        Repairs are not listed: ``with_repair`` makes them.
        """
        found: dict[str, Candidate] = {self.original.key: self.original}
        for steps, form, traits in sorted(self._products(), key=lambda p: len(p[0])):
            for engine in self.engines:
                if not engine.why_not and not engine.reads(form, traits) and self._profits(engine.name, steps):
                    candidate = Candidate(steps, engine.name)
                    found.setdefault(candidate.key, candidate)
        return tuple(found.values())

    def key(self, candidate: Candidate) -> str:
        """``candidate.key``, remembered for the candidates of this space (hashing thousands of times is slow)."""
        return self._keys.get(id(candidate)) or candidate.key

    @cached_property
    def _keys(self) -> dict[int, str]:
        return {id(c): c.key for c in self.candidates}

    def offer(self, step: Step) -> PassOffer:
        """Raises ``UnknownNameError`` for a step that no pass offers."""
        for offer in self.passes:
            if offer.name == step.name:
                return offer
        raise UnknownNameError(f"no pass named {step.name!r}", f"There are: {', '.join(p.name for p in self.passes)}")

    def product(self, steps: Sequence[Step]) -> tuple[Form, frozenset[str]]:
        """Form and traits after ``steps``. Raises ``ValueError`` where they do not type-check."""
        state = (self.form, self.traits)
        for step in steps:
            after = self.offer(step).product(*state)
            if after is None:
                raise ValueError(f"{step.name} {self.offer(step).takes.refusal(*state)}")
            state = after
        return state

    def speed_key(self, candidate: Candidate) -> tuple[str, tuple[str, ...]]:
        """What decides the speed: the engine, and the passes with those of their settings that it profits from."""
        words = []
        for step in candidate.steps:
            own = self.offer(step).own_settings(step)
            words.append(Step(step.name, {name: step.params[name] for name in own}).label)
        return candidate.engine, tuple(words)

    def refusal(self, candidate: Candidate) -> str:
        """Why ``candidate`` cannot be built here; "" where it can."""
        engine = next((e for e in self.engines if e.name == candidate.engine), None)
        if engine is None:
            return f"there is no engine named {candidate.engine!r}"
        try:
            state = self.product(candidate.steps)
        except (ValueError, UnknownNameError) as error:
            return str(error)
        return engine.why_not or engine.reads(*state)

    def lossless(self, candidate: Candidate) -> bool:
        """True where no step may change an answer."""
        return all(self.offer(s).lossless for s in candidate.steps)

    def lossy_steps(self, candidate: Candidate) -> tuple[Step, ...]:
        """The steps that may cost accuracy, in order."""
        return tuple(s for s in candidate.steps if not self.offer(s).lossless)

    def repair_of(self, candidate: Candidate) -> int | None:
        """The value of the repair parameter (0: not repaired); None where no step has one."""
        index = self._repairable(candidate)
        if index is None:
            return None
        step = candidate.steps[index]
        return int(step.params.get(self.offer(step).repair, 0))

    def repair_limit(self, candidate: Candidate) -> int:
        """The largest useful value of the repair parameter; 0 where it is not known or there is none."""
        index = self._repairable(candidate)
        return 0 if index is None else self.offer(candidate.steps[index]).repair_limit

    def with_repair(self, candidate: Candidate, value: int) -> Candidate:
        """``candidate`` with its repair parameter at ``value``; at 0 the parameter is left out (its default)."""
        index = self._repairable(candidate)
        if index is None:
            raise ValueError(f"{candidate.label} has no step with a repair parameter")
        step = candidate.steps[index]
        name = self.offer(step).repair
        params = {k: v for k, v in step.params.items() if k != name} | ({name: value} if value else {})
        steps = list(candidate.steps)
        steps[index] = Step(step.name, params)
        return replace(candidate, steps=tuple(steps))

    def _profits(self, engine: str, steps: tuple[Step, ...]) -> bool:
        """False where a setting is there for another engine."""
        return all(wanted == engine for step in steps for wanted in self.offer(step).own_settings(step).values())

    def _repairable(self, candidate: Candidate) -> int | None:
        found = [i for i, s in enumerate(candidate.steps) if self.offer(s).repair]
        return found[-1] if found else None

    def _products(self) -> Iterator[tuple[tuple[Step, ...], Form, frozenset[str]]]:
        for chain, form, traits in self._chains((), self.form, self.traits):
            combinations: list[tuple[Step, ...]] = [()]
            for offer in chain:
                combinations = [(*before, step) for before in combinations for step in offer.choices]
            for steps in combinations:
                yield steps, form, traits

    def _chains(
        self, chain: tuple[PassOffer, ...], form: Form, traits: frozenset[str]
    ) -> Iterator[tuple[tuple[PassOffer, ...], Form, frozenset[str]]]:
        yield chain, form, traits
        if len(chain) == MAX_STEPS:
            return
        for offer in self.passes:
            after = offer.product(form, traits)
            if after is not None and offer not in chain and self._wanted(chain, offer):
                yield from self._chains((*chain, offer), *after)

    def _wanted(self, chain: tuple[PassOffer, ...], offer: PassOffer) -> bool:
        """False where another chain with the same passes says the same, or the chain costs too much accuracy."""
        if not offer.lossless and (not self.lossy or sum(not p.lossless for p in chain) == MAX_LOSSY):
            return False
        if offer.gives.form != offer.takes.form:  # there and back again is no new network
            return all(p.takes.form == p.gives.form or p.takes.form != offer.gives.form for p in chain)
        if not chain:
            return True
        last = chain[-1]
        if last.takes.form != last.gives.form or not self._swappable(chain[:-1], last, offer):
            return True
        if last.lossless != offer.lossless:
            return last.lossless
        return self.passes.index(last) < self.passes.index(offer)

    def _swappable(self, before: tuple[PassOffer, ...], first: PassOffer, second: PassOffer) -> bool:
        state: tuple[Form, frozenset[str]] | None = (self.form, self.traits)
        for offer in (*before, second, first):
            state = offer.product(*state) if state is not None else None
        return state is not None
