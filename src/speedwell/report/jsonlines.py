"""The same events for machines: one JSON object per line, each with ``event`` and ``at`` (seconds since the start)."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

from ..core import Result, encode
from ..core.errors import SpeedwellError
from .progress import Facts, Paths, TrialRow
from .sentence import verdict_kind, verdict_sentence

__all__ = ["JsonProgress", "result_facts"]


def result_facts(result: Result) -> dict[str, Any]:
    """``result`` as plain JSON without per-sample and per-call numbers (they stay in the run folder), with
    ``verdict`` (certified, keep, undecided, unconfirmed) and ``sentence`` filled.
    """
    original = dataclasses.replace(result.original, evidence=None, timings=())
    strip = dataclasses.replace
    facts: dict[str, Any] = encode(
        strip(
            result,
            original=original,
            confirmations=tuple(
                strip(c, speed=tuple(strip(s, samples=()) for s in c.speed)) for c in result.confirmations
            ),
            a_a=tuple(strip(s, samples=()) for s in result.a_a),
        )
    )
    facts["sentence"] = result.sentence or verdict_sentence(result)
    facts["verdict"] = verdict_kind(result)
    return facts


class JsonProgress:
    """``Progress`` for machines; each event has the name of its method.

    Every line is flushed, so that a reader sees it when it happens. Each ends with a newline and holds none.
    """

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream if stream is not None else sys.stdout
        self._clock = clock
        self._began = clock()

    def _emit(self, event: str, **facts: Any) -> None:
        record = {"event": event, "at": round(self._clock() - self._began, 3), **facts}
        self._stream.write(json.dumps(record, allow_nan=False) + "\n")
        self._stream.flush()

    def header(self, facts: Facts) -> None:
        self._emit("header", facts={k: v if isinstance(v, str) else list(v) for k, v in facts.items()})

    def budget(self, seconds: float | None, reserved: float = 0.0) -> None:
        self._emit("budget", seconds=seconds, reserved=reserved)

    def started(
        self, number: int, label: str, why: str = "", expected: float | None = None, upcoming: str = ""
    ) -> None:
        self._emit("started", number=number, label=label, why=why, expected=expected, upcoming=upcoming)

    def finished(self, row: TrialRow) -> None:
        self._emit("finished", **encode(row))

    def note(self, text: str) -> None:
        self._emit("note", text=text)

    def warning(self, text: str) -> None:
        self._emit("warning", text=text)

    def confirming(self, round: int, of: int) -> None:
        self._emit("confirming", round=round, of=of)

    def done(self, result: Result, paths: Paths) -> None:
        self._emit("done", result=result_facts(result), paths={k: str(v) for k, v in paths.items()})

    def interrupted(self, best: str, resume: str) -> None:
        self._emit("interrupted", best=best, resume=resume)

    def failed(self, error: SpeedwellError) -> None:
        self._emit("failed", **error.as_dict())
