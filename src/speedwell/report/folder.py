"""Read a run folder: whatever is there, and in words what is not. Nothing here trusts the folder to be whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ..core import Candidate, OperatorTime, Outcome, Promise, Result, Workload, decode, loads
from ..core.errors import RunError

__all__ = ["Run", "read_run"]


@dataclass(frozen=True, eq=False)
class Run:
    """``asked``: run.json as plain JSON ({} where missing). ``profile``: operator times of "original" and "winner".
    ``problems``: what is missing or unreadable, a sentence each; the report prints them.
    """

    folder: Path
    asked: Mapping[str, Any] = field(default_factory=dict)
    trials: tuple[Outcome, ...] = ()
    result: Result | None = None
    profile: Mapping[str, tuple[OperatorTime, ...]] = field(default_factory=dict)
    ledger: tuple[Mapping[str, Any], ...] = ()
    problems: tuple[str, ...] = ()

    @cached_property
    def original(self) -> Outcome | None:
        """The original's outcome: the record that holds most (the result's copy may go without its evidence); without
        a result, the first measured trial without a step.
        """
        if self.result is not None:
            mine = [t for t in self.trials if t.candidate.key == self.result.original.candidate.key]
            return max([*mine, self.result.original], key=lambda t: (t.evidence is not None, bool(t.timings)))
        plain = [t for t in self.trials if not t.candidate.steps]
        return next((t for t in plain if t.failure is None), plain[0] if plain else None)

    @property
    def best(self) -> Candidate | None:
        return self.result.best if self.result is not None else None

    @property
    def promise(self) -> Promise | None:
        """The result's promise, else what run.json asked for."""
        if self.result is not None:
            return self.result.promise
        found: Promise | None = _record(Promise, self.asked.get("promise"))
        return found

    @property
    def workloads(self) -> tuple[Workload, ...]:
        if self.result is not None and self.result.workloads:
            return self.result.workloads
        asked = self.asked.get("workloads")
        found = [_record(Workload, w) for w in asked] if isinstance(asked, list) else []
        return tuple(w for w in found if w is not None)

    def about(self, *path: str) -> Any:
        """The value at ``path`` in run.json, else in the result's environment, else None."""
        for source in (self.asked, self.result.environment if self.result is not None else {}):
            value: Any = source
            for key in path:
                value = value.get(key) if isinstance(value, Mapping) else None
            if value is not None:
                return value
        return None


def _record(kind: Any, data: Any) -> Any:
    """The record in ``data`` (bare, or as ``core.dumps`` writes it), None where it is not one."""
    if isinstance(data, Mapping) and "record" in data:
        data = data["record"]
    try:
        return decode(kind, data) if isinstance(data, Mapping) else None
    except (TypeError, ValueError, KeyError, AttributeError):
        return None


def read_run(folder: Path) -> Run:
    """Read what is there. Raises ``RunError`` where the folder holds no run at all."""
    problems: list[str] = []
    names = ("run.json", "trials.json", "result.json")
    if not any((folder / n).is_file() for n in names):
        raise RunError(f"{folder} holds no run: none of {', '.join(names)} is there", "speedwell report RUN_FOLDER")
    asked = _json(folder / "run.json", "what was asked for", problems)
    return Run(
        folder=folder,
        asked=asked if isinstance(asked, dict) else {},
        trials=_trials(folder / "trials.json", problems),
        result=_result(folder / "result.json", problems),
        profile=_profile(folder / "profile.json", problems),
        ledger=_ledger(folder / "ledger.jsonl", problems),
        problems=tuple(problems),
    )


def _json(path: Path, what: str, problems: list[str]) -> Any:
    if not path.is_file():
        problems.append(f"{path.name} is not in the run folder: {what} is not shown.")
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        problems.append(f"{path.name} cannot be read ({error}): {what} is not shown.")
        return None


def _trials(path: Path, problems: list[str]) -> tuple[Outcome, ...]:
    data = _json(path, "the list of candidates", problems)
    items = data.get("trials") if isinstance(data, dict) else None
    if data is not None and not isinstance(items, list):
        problems.append(f"{path.name} holds no list of trials.")
    trials: list[Outcome] = []
    for i, item in enumerate(items or []):
        trial = _record(Outcome, item)
        if trial is None or not isinstance(trial.candidate, Candidate):
            problems.append(f"{path.name}: trial {i} is not a record that this version reads; it is left out.")
        else:
            trials.append(trial)
    return tuple(trials)


def _result(path: Path, problems: list[str]) -> Result | None:
    if not path.is_file():
        problems.append("result.json is not in the run folder: the run has not ended, so nothing is confirmed.")
        return None
    try:
        return loads(Result, path.read_text(encoding="utf-8"))
    except (ValueError, OSError, TypeError, KeyError, AttributeError) as error:
        problems.append(f"result.json cannot be read ({error}): nothing in this report is confirmed.")
        return None


def _profile(path: Path, problems: list[str]) -> Mapping[str, tuple[OperatorTime, ...]]:
    if not path.is_file():
        return {}
    data = _json(path, "time by operator", problems)
    found: dict[str, tuple[OperatorTime, ...]] = {}
    for name, items in data.items() if isinstance(data, dict) else ():
        times = [_record(OperatorTime, item) for item in items] if isinstance(items, list) else []
        if good := tuple(t for t in times if t is not None):
            found[name] = good
    return found


def _ledger(path: Path, problems: list[str]) -> tuple[Mapping[str, Any], ...]:
    if not path.is_file():
        return ()
    lines: list[Mapping[str, Any]] = []
    for number, text in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if not text.strip():
            continue
        try:
            entry = json.loads(text)
        except ValueError:
            problems.append(f"ledger.jsonl: line {number} is torn or damaged; it is left out.")
            continue
        if isinstance(entry, dict):
            lines.append(entry)
    return tuple(lines)
