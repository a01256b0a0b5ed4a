"""Rounds of fresh processes: in each, every session is opened anew, in random order, and all take turns.

A session's speed differs from process to process by more than within one, so a process is the unit: one round gives
one pair for each comparison, and all comparisons share the round.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
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
OPENED_AT_ONCE = 2
"""Opening is not timed, so sessions open beside each other; more than two only compete for the cores and the disk."""


@dataclass(frozen=True, eq=False)
class Rounds:
    """``rounds``: per round, per workload, seconds by name. ``failures``: sessions that were dropped; their earlier
    rounds stay. ``memory``: peak resident bytes by name, the largest over the rounds.
    """

    rounds: tuple[tuple[Mapping[str, tuple[float, ...]], ...], ...]
    failures: Mapping[str, Failure] = field(default_factory=dict)
    memory: Mapping[str, int] = field(default_factory=dict)

    def pairs(self, base: str, other: str, workload: int = 0) -> tuple[Pair, ...]:
        """The rounds in which both were timed on that workload."""
        taken = (r[workload] for r in self.rounds if workload < len(r))
        return tuple((t[base], t[other]) for t in taken if base in t and other in t)

    def timing(self, workload: Workload, base: str, other: str, number: int = 0) -> Timing:
        """The same as a record."""
        pairs = self.pairs(base, other, number)
        return Timing(workload, tuple(a for a, _ in pairs), tuple(b for _, b in pairs))


def with_control(open_session: Mapping[str, Callable[[], Remote]], name: str) -> dict[str, Callable[[], Remote]]:
    """The same sessions and ``name`` a second time, as ``name + AGAIN``: the A/A control."""
    return {**open_session, name + AGAIN: open_session[name]}


def run_rounds(
    open_session: Mapping[str, Callable[[], Remote]],
    rounds: int,
    calls: int | Sequence[int],
    rng: np.random.Generator,
    on_round: Callable[[int], None] | None = None,
    deadline: float | None = None,
    warmup: int = 3,
    block: int = 3,
    settle: int = 1,
    seconds: float | None = None,
) -> Rounds:
    """Up to ``rounds`` rounds. ``calls``: per workload; with several, each service has ``use(workload: int)``.

    ``deadline``: a ``time.monotonic()`` value; no round begins that, by the longest one so far, would not end before
    it. ``on_round(number from 1)`` before each. A session that fails to open or to run is dropped from then on. Every
    process has ended when this returns or raises.
    """
    each = [calls] if isinstance(calls, int) else list(calls)
    alive = dict(open_session)
    finished: list[tuple[Mapping[str, tuple[float, ...]], ...]] = []
    failures: dict[str, Failure] = {}
    memory: dict[str, int] = {}
    longest = 0.0
    for number in range(1, rounds + 1):
        begin = time.monotonic()
        if not alive or (deadline is not None and begin + longest > deadline):
            break
        if on_round is not None:
            on_round(number)
        order = [list(alive)[i] for i in rng.permutation(len(alive))]
        sessions: dict[str, Remote] = {}
        taken: list[Mapping[str, tuple[float, ...]]] = []
        try:
            _open(sessions, {name: alive[name] for name in order}, failures)
            for workload, count in enumerate(each):
                if len(each) > 1:
                    _use(sessions, workload, failures)
                result = interleave(sessions, count, rng, warmup, block, settle, seconds)
                for name, failure in result.failures.items():
                    failures[name] = failure
                    del sessions[name]
                taken.append(result.samples)
            for name, remote in sessions.items():
                memory[name] = max(memory.get(name, 0), remote.peak_memory())
        finally:
            for remote in sessions.values():
                remote.close()
        alive = {name: make for name, make in alive.items() if name not in failures}
        finished.append(tuple(taken))
        longest = max(longest, time.monotonic() - begin)
    return Rounds(tuple(finished), failures, memory)


def _open(
    sessions: dict[str, Remote], makers: Mapping[str, Callable[[], Remote]], failures: dict[str, Failure]
) -> None:
    """Open all, asleep once they are open. What opened is in ``sessions`` whatever happens."""

    def one(name: str) -> None:
        try:
            remote = makers[name]()
            sessions[name] = remote
            remote.pause()
        except SpeedwellError as error:
            failures[name] = failure_of(error, "compile")

    with ThreadPoolExecutor(OPENED_AT_ONCE, thread_name_prefix="speedwell-open") as pool:
        for done in [pool.submit(one, name) for name in makers]:
            done.result()


def _use(sessions: dict[str, Remote], workload: int, failures: dict[str, Failure]) -> None:
    for name, remote in list(sessions.items()):
        try:
            remote.call("use", workload=workload)
            remote.pause()
        except SpeedwellError as error:
            failures[name] = failure_of(error, "time")
            remote.close()
            del sessions[name]
