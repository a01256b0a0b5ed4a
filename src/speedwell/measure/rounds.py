"""Rounds of fresh processes: in each, every session is opened anew, in random order, and all take turns.

A session's speed differs from process to process by more than within one, so a process is the unit: one round gives
one pair for each comparison, and all comparisons share the round.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from speedwell.core.errors import SpeedwellError
from speedwell.core.outcome import Failure, Timing
from speedwell.core.workload import Workload

from .failure import failure_of
from .interleaving import interleave
from .remote import Remote

__all__ = ["AGAIN", "Pair", "Rounds", "run_rounds", "with_control"]

Pair = tuple[tuple[float, ...], tuple[float, ...]]
AGAIN = " again"


@dataclass(frozen=True, eq=False)
class Rounds:
    """``rounds``: per round, seconds by name. ``failures``: sessions that were dropped; their earlier rounds stay.

    ``memory``: peak resident bytes by name, the largest over the rounds.
    """

    rounds: tuple[Mapping[str, tuple[float, ...]], ...]
    failures: Mapping[str, Failure] = field(default_factory=dict)
    memory: Mapping[str, int] = field(default_factory=dict)

    def pairs(self, base: str, other: str) -> tuple[Pair, ...]:
        """The rounds in which both were timed."""
        return tuple((r[base], r[other]) for r in self.rounds if base in r and other in r)

    def timing(self, workload: Workload, base: str, other: str) -> Timing:
        """The same as a record."""
        pairs = self.pairs(base, other)
        return Timing(workload, tuple(a for a, _ in pairs), tuple(b for _, b in pairs))


def with_control(open_session: Mapping[str, Callable[[], Remote]], name: str) -> dict[str, Callable[[], Remote]]:
    """The same sessions and ``name`` a second time, as ``name + AGAIN``: the A/A control."""
    return {**open_session, name + AGAIN: open_session[name]}


def run_rounds(
    open_session: Mapping[str, Callable[[], Remote]],
    rounds: int,
    calls: int,
    rng: np.random.Generator,
    on_round: Callable[[int, Mapping[str, tuple[float, ...]]], None] | None = None,
    deadline: float | None = None,
    warmup: int = 3,
    block: int = 3,
    settle: int = 1,
    seconds: float | None = None,
) -> Rounds:
    """Up to ``rounds`` rounds. ``deadline``: a ``time.monotonic()`` value; no round begins that, by the longest one so
    far, would not end before it. ``on_round(number from 1, seconds by name)`` after each. A session that fails to
    open or to run is dropped from then on. Every process has ended when this returns or raises.
    """
    alive = dict(open_session)
    finished: list[Mapping[str, tuple[float, ...]]] = []
    failures: dict[str, Failure] = {}
    memory: dict[str, int] = {}
    longest = 0.0
    for number in range(1, rounds + 1):
        begin = time.monotonic()
        if not alive or (deadline is not None and begin + longest > deadline):
            break
        sessions: dict[str, Remote] = {}
        try:
            for name in [list(alive)[i] for i in rng.permutation(len(alive))]:
                try:
                    sessions[name] = alive[name]()
                    sessions[name].pause()
                except SpeedwellError as error:
                    failures[name] = failure_of(error, "compile")
            result = interleave(sessions, calls, rng, warmup, block, settle, seconds)
            for name, remote in sessions.items():
                memory[name] = max(memory.get(name, 0), remote.peak_memory())
        finally:
            for remote in sessions.values():
                remote.close()
        failures.update(result.failures)
        alive = {name: make for name, make in alive.items() if name not in failures}
        finished.append(result.samples)
        longest = max(longest, time.monotonic() - begin)
        if on_round is not None:
            on_round(number, result.samples)
    return Rounds(tuple(finished), failures, memory)
