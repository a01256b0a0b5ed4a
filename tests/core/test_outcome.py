import json

import numpy as np
import pytest

from speedwell.core import (
    Candidate,
    Evidence,
    Failure,
    FailureKind,
    Outcome,
    StepEffect,
    Timing,
    Workload,
    dumps,
    loads,
)

D4 = ("timeout", "out of memory", "crash", "killed", "silent exit", "wrong output", "not finite", "wrong shape",
      "wrong dtype")  # fmt: skip


def test_the_nine_ways_in_which_a_process_goes_wrong_have_names() -> None:
    assert [k.value for k in FailureKind][:9] == list(D4)
    assert len({k.value for k in FailureKind}) == len(FailureKind)


def test_a_measured_outcome_comes_back_whole() -> None:
    timing = Timing(Workload(1, 2, {"x": (1, 3)}), ((0.1, 0.2),), ((0.05, 0.06),))
    outcome = Outcome(
        Candidate((), "eager"), (timing,), Evidence("binary", np.array([1.0, 0.0]), np.array([3, 4])), 0.5, 10, 20,
        0.5, 1.5, (StepEffect("fuse", 0.1, 9),), "ab", None, {"provider": "CPU"}, True, 3,
    )  # fmt: skip
    again = loads(Outcome, dumps(outcome))
    assert dumps(again) == dumps(outcome)
    assert again.timings[0].candidate == timing.candidate
    assert again.evidence is not None
    assert again.evidence.answers.dtype == np.int64


@pytest.mark.parametrize("kind", FailureKind)
def test_a_failure_comes_back_whole(kind: FailureKind) -> None:
    outcome = Outcome(Candidate((), "eager"), failure=Failure(kind, "compile", "it hung", "tail"))
    text = dumps(outcome)
    assert json.loads(text)["record"]["failure"]["kind"] == kind.value
    assert loads(Outcome, text).failure == outcome.failure
