"""F3 and memory: how soon does ``speedwell accelerate`` show something, and what does its own process weigh?

Measured from the start of the process: seconds to the first measured row (the original's), to the first candidate that
competes (faster, its promise plausible on the selection split), to the row of the later winner, and to the end; and the
peak resident memory of the command line's process itself (its workers apart). Compared with the floors of F3 (45 s,
5 min, 15 min) and 600 MB. Without a model, the demo's network and data are made first.

    python benchmarks/first_gain.py                                      # the demo's network
    python benchmarks/first_gain.py -- examples/resnet20_cifar.py:build --weights ... --data ... --confirmation ...
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from demo_case import demo_arguments
from record import Record, parser
from speedwell.measure.process import peak_bytes

FLOORS = {"first measured row": 45.0, "first gain that competes": 300.0, "winner's row": 900.0, "end": 900.0}
MEGABYTES = 600.0
HEADLINE = ("first measured row", "first gain that competes", "winner's row", "peak memory of the parent")


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--budget", default="10m", help="of the run (default 10m; --quick: 90s)")
    made.add_argument("model", nargs="*", help="after --: arguments of speedwell accelerate")
    arguments = made.parse_args()
    record = Record("first_gain", HEADLINE, arguments.quick)
    with tempfile.TemporaryDirectory(prefix="speedwell-first-gain-") as name:
        folder = Path(name)
        given = arguments.model or demo_arguments(folder / "demo")
        budget = "90s" if arguments.quick else arguments.budget
        rounds = ["--rounds", "4", "--calls", "5"] if arguments.quick else []
        command = [
            sys.executable, "-m", "speedwell", "accelerate", *given, "--budget", budget, *rounds, "--run",
            str(folder / "run"), "--out", str(folder / "bundle"), "--json",
        ]  # fmt: skip
        times, facts = watched(command)
    for case, floor in FLOORS.items():
        seconds = times.get(case)
        if seconds is None:
            record.row(case, "seconds", None, "floor F3", floor, note=facts["sentence"])
        else:
            note = facts["labels"].get(case, "")
            record.row(case, "seconds", seconds, "floor F3", floor, floor / seconds, n=1, note=note)
    peak = facts["peak"] / 1e6
    record.row(HEADLINE[-1], "MB", peak, "floor", MEGABYTES, MEGABYTES / peak, n=1, note="VmHWM of the CLI's process")
    record.samples = {"times": times, **facts, "command": command}
    record.finish(arguments.json)


def watched(command: list[str]) -> tuple[dict[str, float], dict[str, Any]]:
    """Run it; (seconds by case, facts). Raises where it fails."""
    began = time.monotonic()
    errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    peak = 0
    stop = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not stop.wait(0.1):
            peak = max(peak, peak_bytes(process.pid))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    times: dict[str, float] = {}
    labels: dict[str, str] = {}
    rows: dict[str, float] = {}
    result: dict[str, Any] = {}
    try:
        for line in process.stdout or ():
            now, event = time.monotonic() - began, json.loads(line)
            if event["event"] == "finished":
                rows[event["label"]] = now
                label = f"{event['label']}, trial {event['number']}"
                if "first measured row" not in times:
                    times["first measured row"], labels["first measured row"] = now, label
                if event["number"] > 0 and event["best"] and "first gain that competes" not in times:
                    ratio = (event["ratio"] or {}).get("estimate")
                    times["first gain that competes"] = now
                    labels["first gain that competes"] = f"{label}, {ratio:.2f}x" if ratio else label
            elif event["event"] == "done":
                result = event["result"]
        code = process.wait()
    finally:
        stop.set()
        watcher.join()
        if process.poll() is None:
            process.kill()
        errors.seek(0)
        said = errors.read()[-800:]
        errors.close()
    if code or not result:
        raise RuntimeError(f"speedwell accelerate ended with {code}: {said}")
    times["end"] = time.monotonic() - began
    if result["best"] is not None:
        name = winner(result, rows)
        if name:
            times["winner's row"], labels["winner's row"] = rows[name], name
    return times, {"peak": peak, "sentence": result["sentence"], "labels": labels, "rows": rows}


def winner(result: dict[str, Any], rows: dict[str, float]) -> str:
    """The label of the winner's row, "" where no row bears it."""
    from speedwell.core import Candidate, decode
    from speedwell.report import candidate_label

    best, original = (decode(Candidate, c) for c in (result["best"], result["original"]["candidate"]))
    label = candidate_label(best, original)
    return label if label in rows else ""


if __name__ == "__main__":
    main()
