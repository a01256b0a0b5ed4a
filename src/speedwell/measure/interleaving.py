"""One round of timing: open sessions take turns in random order, and all but one of them sleep.

A turn resumes one session, runs ``settle`` calls that are not kept (the caches and the clock belong to it again) and
then ``block`` calls that are. Seconds are measured inside the worker, around the session's run, so that neither the
pipe nor this process is in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from speedwell.core.errors import JobError, SpeedwellError
from speedwell.core.outcome import Failure

from .failure import failure_of
from .remote import Remote
from .reply import Reply

__all__ = ["Interleaved", "interleave"]


@dataclass(frozen=True, eq=False)
class Interleaved:
    """``samples``: seconds by name, ``calls`` each, the i-th of all names from the same turn. ``failures``: the
    sessions that were dropped, with no samples.
    """

    samples: Mapping[str, tuple[float, ...]]
    failures: Mapping[str, Failure] = field(default_factory=dict)


def interleave(
    sessions: Mapping[str, Remote],
    calls: int,
    rng: np.random.Generator,
    warmup: int = 3,
    block: int = 3,
    settle: int = 1,
    seconds: float | None = None,
) -> Interleaved:
    """Time every session ``calls`` times. Each service has ``time(calls: int) -> list[float]`` (seconds per call).

    ``warmup``: calls of each session before the first turn, not kept. ``seconds``: wall clock for one turn, in place
    of the sessions' own limits. All sessions are paused afterwards. A session that fails is closed and dropped; the
    others go on.
    """
    if calls < 1 or block < 1 or settle < 0 or warmup < 0:
        raise ValueError(f"calls {calls}, block {block}, settle {settle} and warmup {warmup} must not be negative or 0")
    samples: dict[str, list[float]] = {name: [] for name in sessions}
    failures: dict[str, Failure] = {}
    for remote in sessions.values():
        remote.pause()

    def turn(name: str, kept: int, dropped: int) -> None:
        remote = sessions[name]
        try:
            remote.resume()
            taken = _seconds(remote.call("time", seconds=seconds, calls=kept + dropped), kept + dropped)
            remote.pause()
            samples[name].extend(taken[dropped:])
        except SpeedwellError as error:
            remote.close()
            failures[name] = failure_of(error, "time")
            del samples[name]

    if warmup:
        for name in _shuffled(samples, rng):
            turn(name, 0, warmup)
    done = 0
    while done < calls and samples:
        kept = min(block, calls - done)
        for name in _shuffled(samples, rng):
            turn(name, kept, settle)
        done += kept
    return Interleaved({name: tuple(s) for name, s in samples.items()}, failures)


def _shuffled(names: Mapping[str, object], rng: np.random.Generator) -> list[str]:
    order = list(names)
    return [order[i] for i in rng.permutation(len(order))]


def _seconds(reply: Reply, calls: int) -> list[float]:
    value = reply.value
    if not isinstance(value, list) or len(value) != calls or not all(isinstance(v, float) and v > 0 for v in value):
        raise JobError(f"time(calls={calls}) answered {str(value)[:200]}, not that many positive seconds")
    return value
