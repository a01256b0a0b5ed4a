from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import small_world as w

from speedwell.core import Candidate, Hardware, Outcome, Step, decode
from speedwell.search import Judgement, judge_all
from speedwell.workflow.comparing import comparison_for
from speedwell.workflow.heat import HEAT_SIZE, contenders, run_heat
from speedwell.workflow.prepared import Prepared
from speedwell.workflow.trial import Bench
from speedwell.workflow.workers import Workers


@dataclass
class Entered:
    """What the heat needs of a search: the trials of a finished one, its judgements, a bench."""

    prepared: Prepared
    outcomes: tuple[Outcome, ...]
    bench: Bench

    @property
    def original(self) -> Outcome:
        return self.outcomes[0]

    def judgements(self) -> dict[str, Judgement]:
        promise = self.prepared.promise
        return judge_all(self.outcomes, self.original, promise, comparison_for(promise))


@pytest.fixture
def entered(folder_run: Any, tmp_path: Path) -> Iterator[Entered]:
    prepared = decode(Prepared, w.as_json(folder_run.run / "run.json")["prepared"])
    trials = tuple(decode(Outcome, t) for t in w.as_json(folder_run.run / "trials.json")["trials"])
    bench = Bench(prepared, Workers(tmp_path / "work", Hardware.here(), 1), tmp_path / "artifacts", 60.0)
    yield Entered(prepared, trials, bench)
    bench.close()


def nine_times_as_fast(outcome: Outcome) -> Outcome:
    timings = [replace(t, candidate=tuple(tuple(c / 9 for c in p) for p in t.candidate)) for t in outcome.timings]
    return replace(outcome, timings=tuple(timings))


def test_only_those_that_may_win_enter_and_the_original_does_not(entered: Entered) -> None:
    for outcome in contenders(entered):  # type: ignore[arg-type]
        assert outcome.candidate.key != entered.original.candidate.key
        assert entered.judgements()[outcome.candidate.key].plausible
    many = replace(entered, outcomes=(entered.original, *(nine_times_as_fast(o) for o in entered.outcomes[1:])))
    assert 2 <= len(contenders(many)) <= HEAT_SIZE  # type: ignore[arg-type]


def test_a_slow_moment_of_its_own_pair_keeps_nobody_out(entered: Entered) -> None:
    """Its pair shows no gain because both sides met the same slow moment; its own latency says twice as fast."""
    fused = next(o for o in entered.outcomes if o.failure is None and o.candidate.steps)
    (timing,) = fused.timings
    own = tuple(c / 2 for c in entered.original.timings[0].candidate[0])
    unlucky = replace(fused, timings=(replace(timing, baseline=(own,), candidate=(own,)),))
    again = replace(entered, outcomes=(entered.original, unlucky))
    assert [o.candidate.key for o in contenders(again)] == [fused.candidate.key]  # type: ignore[arg-type]


def test_fresh_processes_say_who_is_faster_and_who_fails_is_left_out(entered: Entered) -> None:
    fused = next(o for o in entered.outcomes if o.failure is None and o.candidate.steps)
    broken = replace(fused, candidate=Candidate((Step("fuse"),), "nowhere"))
    speeds = run_heat(entered, [fused, broken])  # type: ignore[arg-type]
    assert set(speeds) == {fused.candidate.key}
    assert speeds[fused.candidate.key] > 0
