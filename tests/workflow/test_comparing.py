import numpy as np

from speedwell.core import Candidate, Evidence, Outcome, Promise, SpeedVerdict, Timing, Workload
from speedwell.workflow.comparing import comparison_for, judged

PROMISE = Promise("accuracy", 0.05, "5pt")
SLOW, FAST = (0.2, 0.21, 0.2, 0.19, 0.2), (0.1, 0.11, 0.1, 0.09, 0.1)


def evidence(right: list[int]) -> Evidence:
    return Evidence("binary", np.array(right, float), np.array(right, np.int64))


def outcome(right: list[int]) -> Outcome:
    timing = Timing(Workload(1, 1), (SLOW,), (FAST,))
    return Outcome(Candidate((), "e"), timings=(timing,), evidence=evidence(right))


def test_both_are_judged_on_the_samples_that_both_answered() -> None:
    claim = comparison_for(PROMISE)(outcome([1] * 200), outcome([1] * 300))
    assert claim.accuracy is not None
    assert claim.accuracy.n == 200
    assert claim.accuracy.verdict.holds
    assert claim.speed[0].verdict is SpeedVerdict.FASTER


def test_without_data_there_is_no_accuracy_to_judge() -> None:
    assert comparison_for(Promise("equal", 0.0, "outputs equal"))(outcome([1]), outcome([1])).accuracy is None


def test_few_samples_are_undecided_and_none_is_no_claim() -> None:
    claim = judged(evidence([1, 1]), evidence([1, 1]), 2, PROMISE)
    assert claim is not None
    assert not claim.verdict.holds
    assert claim.need > 2
    assert judged(evidence([1]), evidence([1]), 0, PROMISE) is None
