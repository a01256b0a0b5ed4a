"""Did the search miss something? Its winner against every engine and precision that it could have chosen.

For a finished run (or the demo's network, run first): builds every candidate of the run's space that the search did not
measure itself, judges each on the selection split as the search does, and times all whose promise is plausible there in
shared rounds of fresh processes with the winner. Floor: the winner reaches 0.97 of the speed of the best of them. A
candidate that the confirmation refused is shown but is no rival.

    python benchmarks/brute_force.py runs/20260101-120000
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from demo_case import demo_arguments
from finished_run import FinishedRun
from interval import timed_ratio
from record import Record, parser
from speedwell.core import Outcome
from speedwell.measure import AGAIN
from speedwell.report import candidate_label
from speedwell.search import Judgement, judge_all, ratio
from speedwell.workflow.comparing import comparison_for

CASE = "winner over the best of all"
FLOOR = 0.97


def main() -> None:
    made = parser(__doc__)
    made.add_argument("run", nargs="?", type=Path, help="a finished run folder (default: the demo, run first)")
    made.add_argument("--most", type=int, default=16, help="time at most the fastest so many together (default 16)")
    made.add_argument("--budget", default="5m", help="of the demo's run, where no run is named (--quick: 90s)")
    arguments = made.parse_args()
    record = Record("brute_force", (CASE,), arguments.quick)
    with tempfile.TemporaryDirectory(prefix="speedwell-brute-") as name:
        folder = Path(name)
        run = arguments.run or demo_run(folder, "90s" if arguments.quick else arguments.budget, arguments.quick)
        compare(FinishedRun(run, folder / "scratch"), record, arguments.quick, arguments.most)
    record.finish(arguments.json)


def demo_run(folder: Path, budget: str, quick: bool) -> Path:
    """The demo's network through ``speedwell accelerate``."""
    rounds = ["--rounds", "4", "--calls", "5"] if quick else []
    command = [sys.executable, "-m", "speedwell", "accelerate", *demo_arguments(folder / "demo"), "--budget", budget]
    subprocess.run([*command, *rounds, "--run", str(folder / "run"), "-q"], check=True)
    return folder / "run"


def compare(run: FinishedRun, record: Record, quick: bool, most: int) -> None:
    """Measure the rest of the space, then time the good ones together."""
    outcomes = measured(run)
    judgements = judge_all(outcomes, run.original, run.prepared.promise, comparison_for(run.prepared.promise))
    base = run.prepared.candidate
    refused = {c.candidate.key for c in run.result.confirmations if not c.accuracy.verdict.holds}
    best = run.result.best or base
    good = [o for o in outcomes if o.failure is None and judgements[o.candidate.key].plausible]
    good.sort(key=lambda o: -(ratio(o) or 0.0))
    timed = [o for o in good[:most]]
    timed += [o for o in outcomes if o.candidate.key in (best.key, base.key) and o not in timed]
    openers = {o.candidate.key: run.opener(o.candidate) for o in timed}
    many = len(run.prepared.workloads)
    taken = run.rounds(openers, best.key, max(run.seconds(o) for o in timed), quick)
    medians: dict[str, list[float]] = {}
    for key in [*openers, best.key + AGAIN]:
        medians[key] = [float(np.median(theirs)) for _, theirs in taken.pairs(best.key, key)]
    if control := timed_ratio(taken, best.key, best.key + AGAIN, many):
        record.control(*control[:3])
    rivals: list[tuple[float, float, float, str]] = []
    for outcome in outcomes:
        key, label = outcome.candidate.key, outcome.candidate.label  # unique, unlike what a person calls it
        if key == best.key:
            continue
        found = timed_ratio(taken, key, best.key, many) if key in openers else None
        if found is None:
            record.row(
                label, "ms", None, note=why(outcome, judgements[key]) or "not among the fastest: not timed again"
            )
            continue
        # > 1: the winner is faster than this one
        r, low, high, n = found
        note = "refused by the confirmation: no rival" if key in refused else judgements[key].words
        ms, ours = (1e3 * float(np.median(medians[k])) for k in (key, best.key))
        record.row(label, "ms", ours, label, ms, r, low, high, n, note)
        if key not in refused:
            rivals.append((r, low, high, label))
    r, low, high, label = min(rivals, default=(1.0, 1.0, 1.0, "nothing else works"))
    # the best of all is the winner itself where every rival is slower
    r, low, high = min(r, 1.0), min(low, 1.0), min(high, 1.0)
    winner, n = candidate_label(best, base), len(medians[best.key])
    note = f"{winner}; best rival {label}; floor {'kept' if r >= FLOOR else 'missed'}"
    note += f"; {len(outcomes)} candidates, {len(timed)} timed"
    metric = "speed of the winner over the best"
    record.row(CASE, metric, r, "floor", FLOOR, r / FLOOR, low / FLOOR, high / FLOOR, n, note)
    names = {o.candidate.key: o.candidate.label for o in outcomes}
    rounds = [[dict(w) for w in r] for r in taken.rounds]
    record.samples = {"winner": best.label, "names": names, "rounds": rounds}


def measured(run: FinishedRun) -> list[Outcome]:
    """Every candidate of the space: the run's own outcomes, and the rest measured now."""
    known = {o.candidate.key: o for o in run.outcomes}
    space = run.space()
    todo = [c for c in space.candidates if c.key not in known]
    print(f"{len(known)} candidates measured by the search, {len(todo)} to go", flush=True)
    for number, candidate in enumerate(todo, 1):
        outcome = run.bench.measure(candidate, space.lossless(candidate), run.original, lambda _: True)
        known[candidate.key] = outcome
        said = outcome.failure.kind.value if outcome.failure else f"{ratio(outcome):.2f}x"
        print(f"{number} of {len(todo)}: {candidate.label}: {said}", flush=True)
    run.bench.close()
    return list(known.values())


def why(outcome: Outcome, judgement: Judgement) -> str:
    """Why a candidate was not timed together with the others."""
    return judgement.words if outcome.failure is not None or not judgement.plausible else ""


if __name__ == "__main__":
    main()
