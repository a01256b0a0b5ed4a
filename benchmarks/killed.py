"""D1: kill -9 at 20 random points of a run, resume, and see that nothing is lost.

``speedwell accelerate`` on a small network with two engines is killed at times drawn uniformly over the length of a
whole run, and resumed; a run that ends by itself is checked and the next one starts. Compared with what must hold:
after each kill the store reads, every trial finished before is there with the same outcome, numbers and candidates are
unique, no process is left after some seconds, and the best so far verifies; no session measures a finished trial
again; at the end the front is that of the store.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from processes import marked
from record import Record, parser
from speedwell.core import Outcome, Result, dumps, loads
from speedwell.core.errors import SpeedwellError
from speedwell.search import STORE_NAME, Store, front
from tiny_network import write

CASES = ("trials kept", "no trial repeated", "no orphans", "best so far verifies", "runs end with the store's front")
ORPHAN_SECONDS = 15.0
RUN_SECONDS = 300.0


@dataclass
class Run:
    """One run folder and what must still be in it."""

    folder: Path
    known: dict[str, str] = field(default_factory=dict)
    sessions: int = 0

    @property
    def bundle(self) -> Path:
        return self.folder.with_name(self.folder.name + "-bundle")

    @property
    def can_resume(self) -> bool:
        return (self.folder / "run.json").is_file()


class Bench:
    """Starts sessions, kills them, checks. ``wrong``: by case, what did not hold."""

    def __init__(self, work: Path, budget: str) -> None:
        self.work = work
        self.budget = budget
        self.network, self.data, self.confirmation = write(work, 3000)
        self.checks: dict[str, int] = dict.fromkeys(CASES, 0)
        self.wrong: dict[str, list[str]] = {case: [] for case in CASES}

    def session(self, run: Run, until: float | None) -> tuple[int | None, list[dict[str, Any]], str]:
        """Start or resume ``run`` and let it go on for ``until`` seconds, then kill -9. (exit code, or None where it
        was killed; its events; its errors).
        """
        token = f"speedwell-killed-{uuid.uuid4().hex}"
        command = [sys.executable, "-m", "speedwell", "accelerate"]
        if run.can_resume:
            command += ["--resume", str(run.folder), "--budget", self.budget, "--json"]
        else:
            shutil.rmtree(run.folder, ignore_errors=True)
            command += [
                str(self.network), "--data", str(self.data), "--confirmation", str(self.confirmation), "--task",
                "image-classification", "--colour", "gray", "--engines", "onnxruntime,openvino", "--max-drop", "2pt",
                "--budget", self.budget, "--rounds", "4", "--calls", "3", "--run", str(run.folder), "--out",
                str(run.bundle), "--json",
            ]  # fmt: skip
        run.sessions += 1
        with (self.work / "events").open("w+") as events, (self.work / "errors").open("w+") as errors:
            process = subprocess.Popen(
                command, stdout=events, stderr=errors, cwd=self.work, env={**os.environ, "SPEEDWELL_BENCH": token}
            )
            code: int | None = None
            try:
                code = process.wait(RUN_SECONDS if until is None else until)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                if until is None:
                    raise
            self._orphans(token)
            events.seek(0)
            errors.seek(0)
            return code, _events(events.read()), errors.read()

    def check(self, run: Run, events: list[dict[str, Any]]) -> None:
        """What must hold after every session, killed or not."""
        again = [e["number"] for e in events if e["event"] == "finished" and str(e["number"]) in run.known]
        self._holds("no trial repeated", not again, f"measured again: {again}")
        if (run.folder / STORE_NAME).is_file():
            try:
                with Store.open(run.folder) as store:
                    outcomes, begun = store.outcomes(), store.unfinished()
            except SpeedwellError as error:
                self._holds("trials kept", False, f"the store cannot be read: {error}")
                return
            now = {str(o.number): _digest(o) for o in outcomes}
            lost = [n for n, digest in run.known.items() if now.get(n) != digest]
            self._holds("trials kept", not lost, f"trials {lost} are gone or changed")
            numbers = [o.number for o in outcomes] + [n for n, _ in begun]
            keys = [o.candidate.key for o in outcomes] + [c.key for _, c in begun]
            single = len(set(numbers)) == len(numbers) and len(set(keys)) == len(keys)
            self._holds("no trial repeated", single, f"numbers {numbers}")
            run.known = now
        if run.bundle.exists():
            done = subprocess.run(
                [sys.executable, "-m", "speedwell", "verify", str(run.bundle)],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            self._holds("best so far verifies", done.returncode == 0, done.stdout + done.stderr)

    def check_end(self, run: Run, code: int | None, errors: str) -> None:
        """What must hold of a run that ended by itself."""
        case = CASES[-1]
        if code != 0 or not (run.folder / "result.json").is_file():
            self._holds(case, False, f"ended with {code}: {errors[-400:]}")
            return
        result = loads(Result, (run.folder / "result.json").read_text())
        with Store.open(run.folder) as store:
            outcomes = store.outcomes()
        original = next(o for o in outcomes if o.candidate.key == result.original.candidate.key)
        wanted = [o.candidate.key for o in front(outcomes, original)]
        self._holds(case, [c.key for c in result.front] == wanted, "the front is not the store's")

    def _orphans(self, token: str) -> None:
        until = time.monotonic() + ORPHAN_SECONDS
        while (left := marked(token)) and time.monotonic() < until:
            time.sleep(0.2)
        self._holds("no orphans", not left, f"still there after {ORPHAN_SECONDS:g} s: {list(left.values())}")
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _holds(self, case: str, holds: bool, why: str) -> None:
        self.checks[case] += 1
        if not holds:
            self.wrong[case].append(why)
            print(f"WRONG: {case}: {why}", flush=True)


def _events(text: str) -> list[dict[str, Any]]:
    """A killed program may leave half a line."""
    found = []
    for line in text.splitlines():
        with contextlib.suppress(ValueError):
            found.append(json.loads(line))
    return found


def _digest(outcome: Outcome) -> str:
    whole = dumps(replace(outcome, evidence=None)).encode()
    if outcome.evidence is not None:
        whole += outcome.evidence.scores.tobytes() + outcome.evidence.answers.tobytes()
    return hashlib.sha256(whole).hexdigest()


def _where(events: list[dict[str, Any]]) -> str:
    """What a session was doing when it ended."""
    if not events:
        return "before the first event"
    last = events[-1]
    what = last.get("label") or last.get("text") or last.get("round") or ""
    return f"{last['event']} {what}".strip()


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--kills", type=int, help="how many (20; --quick: 5)")
    made.add_argument("--budget", default="90s", help="of each run (default 90s)")
    made.add_argument("--seed", type=int, default=0)
    arguments = made.parse_args()
    kills = arguments.kills or (5 if arguments.quick else 20)
    record = Record("killed", CASES, arguments.quick)
    rng = np.random.default_rng(arguments.seed)
    work = Path(tempfile.mkdtemp(prefix="speedwell-killed-"))
    log: list[dict[str, Any]] = []
    try:
        bench = Bench(work, arguments.budget)
        whole = Run(work / "whole")
        began = time.monotonic()
        code, events, errors = bench.session(whole, None)
        length = time.monotonic() - began
        bench.check(whole, events)
        bench.check_end(whole, code, errors)
        print(f"a whole run takes {length:.1f} s, {len(whole.known)} trials", flush=True)
        runs, killed, run = 1, 0, Run(work / "run-1")
        while killed < kills or run.sessions:
            until = float(rng.uniform(0.0, length)) if killed < kills else None
            fresh = not run.can_resume
            code, events, errors = bench.session(run, until)
            bench.check(run, events)
            ended = code is not None
            killed += not ended
            log.append({
                "run": run.folder.name, "resumed": not fresh, "seconds": until, "killed": not ended,
                "code": code, "at": _where(events), "trials": len(run.known),
            })  # fmt: skip
            print(f"{killed:>3} {run.folder.name} {'ended with ' + str(code) if ended else f'killed at {until:.1f} s'}"
                  f" ({_where(events)}), {len(run.known)} trials kept", flush=True)  # fmt: skip
            if ended:
                bench.check_end(run, code, errors)
                runs += 1
                run = Run(work / f"run-{runs}")
        for case in CASES:
            good, n = bench.checks[case] - len(bench.wrong[case]), bench.checks[case]
            share = good / n if n else 0.0
            record.row(
                case, "checks that hold", share, "floor D1", 1.0, share, n=n, note="; ".join(bench.wrong[case])[:200]
            )
        record.samples = {"whole_seconds": length, "sessions": log, "wrong": bench.wrong}
        record.finish(arguments.json)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    sys.exit(any(bench.wrong.values()))


if __name__ == "__main__":
    main()
