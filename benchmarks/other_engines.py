"""F2 by engine: our certified winner against the fastest certified candidate of every other engine.

For a finished run of ``speedwell accelerate``: of each engine but the winner's, the candidates in the order of their
measured speed are judged on the confirmation split, as the winner was, until one keeps the promise; these, the winner
twice (the control) and the original are timed in shared rounds of fresh processes. A case is one workload (the median
text length, the 95th percentile); its ratio is that of the fastest other engine. As on a CPU with AVX2 alone:

    python benchmarks/masked_cpu.py python benchmarks/other_engines.py runs/20260101-120000
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from finished_run import FinishedRun, claim_words, middle
from interval import timed_ratio
from record import Record, parser
from speedwell.core import Evidence, Outcome
from speedwell.measure import AGAIN, Rounds, judge
from speedwell.search import ratio


def main() -> None:
    made = parser(__doc__)
    made.add_argument("run", type=Path, help="a finished run folder that has a winner")
    arguments = made.parse_args()
    with tempfile.TemporaryDirectory(prefix="speedwell-others-") as name:
        run = FinishedRun(arguments.run, Path(name) / "scratch")
        winner = next((o for o in run.outcomes if run.result.best and o.candidate.key == run.result.best.key), None)
        if winner is None:
            raise SystemExit(f"{arguments.run} kept the original: there is no winner to compare")
        words = [w.label for w in run.prepared.workloads]
        record = Record("other_engines", words, arguments.quick)
        rivals = certified_rivals(run, winner)
        taken = timed(run, [winner, run.original, *(outcome for outcome, _ in rivals)], arguments.quick)
        for number, case in enumerate(words):
            rows(case, number, record, winner, rivals, run, taken)
        run.bench.close()
    record.finish(arguments.json)


def certified_rivals(run: FinishedRun, winner: Outcome) -> list[tuple[Outcome, str]]:
    """The fastest of each other engine that keeps the promise, and what its judgement says."""
    base = answers(run, run.original)
    engines = sorted({o.candidate.engine for o in run.outcomes} - {winner.candidate.engine})
    found = []
    for engine in engines:
        theirs = [
            o for o in run.outcomes if o.candidate.engine == engine and o.failure is None and o is not run.original
        ]
        for outcome in sorted(theirs, key=lambda o: -(ratio(o) or 0.0)):
            claim = judge(base, answers(run, outcome), run.prepared.promise)
            said = claim_words(claim)
            print(f"{outcome.candidate.label}: {said}", flush=True)
            if claim.verdict.holds:
                found.append((outcome, said))
                break
    return found


def answers(run: FinishedRun, outcome: Outcome) -> Evidence:
    """On what the run opened of the confirmation split."""
    return run.confirmation(run.bench.build(outcome.candidate).model, outcome.candidate.engine)


def timed(run: FinishedRun, outcomes: list[Outcome], quick: bool) -> Rounds:
    """All of them in shared rounds, the first twice."""
    openers = {o.candidate.key: run.opener(o.candidate) for o in outcomes}
    return run.rounds(openers, outcomes[0].candidate.key, max(run.seconds(o) for o in outcomes), quick)


def rows(
    case: str, number: int, record: Record, winner: Outcome, rivals: list[tuple[Outcome, str]], run: FinishedRun,
    taken: Rounds,
) -> None:  # fmt: skip
    """One row a rival of one workload, then the original, which is no rival, and the control."""
    mine = winner.candidate.key
    alone = Rounds(tuple(r[number : number + 1] for r in taken.rounds))
    milliseconds = {key: 1e3 * middle(alone, key) for key in alone.rounds[0][0]}
    for outcome, words in rivals:
        key = outcome.candidate.key
        found = timed_ratio(alone, key, mine)
        name = outcome.candidate.label
        record.row(
            case, "ms", milliseconds[mine], name, milliseconds.get(key), *(found or (None, None, None, 0)), words
        )
    if found := timed_ratio(alone, run.original.candidate.key, mine):
        label = winner.candidate.label
        theirs = milliseconds[run.original.candidate.key]
        record.row(f"{case}, over the original", "ms", milliseconds[mine], "original", theirs, *found, f"ours: {label}")
    if found := timed_ratio(alone, mine, mine + AGAIN):
        again = milliseconds[mine + AGAIN]
        record.row(f"{case}, A/A", "ms", milliseconds[mine], "itself", again, *found)
        if number == 0:
            record.control(*found[:3])
    record.samples[case] = [dict(r[0]) for r in alone.rounds]


if __name__ == "__main__":
    main()
