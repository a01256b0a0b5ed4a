import numpy as np

from speedwell.core import (
    AccuracyClaim,
    AccuracyVerdict,
    Candidate,
    Confirmation,
    Hardware,
    Interval,
    Outcome,
    Promise,
    Refusal,
    Result,
    SpeedClaim,
    SpeedVerdict,
    Step,
    Workload,
    dumps,
    loads,
)


def test_a_result_comes_back_whole() -> None:
    best, lost = Candidate((Step("fuse"),), "openvino"), Candidate((Step("half"),), "openvino")
    workload = Workload(1, 2, {"x": (1, 3)})
    speed = SpeedClaim(
        SpeedVerdict.FASTER, Interval(2.0, 1.9, 2.1), "original", workload, 12, 0.2, 0.1, "", (((0.2,), (0.1,)),)
    )
    accuracy = AccuracyClaim(AccuracyVerdict.KEPT, 0.9, 0.9, -0.004, 0.01, 500, "Tango", 3, 3)
    result = Result(
        "run-1", "It is faster.", Promise("accuracy", 0.01, "1pt"), (workload,), Outcome(Candidate((), "eager")), best,
        (best,), (Refusal(lost, "slower"),), (Confirmation(best, accuracy, (speed,), True),), {"confirmation": 500},
        (speed,), Hardware.here(), {"command": "speedwell"}, ("noisy",),
    )  # fmt: skip
    again = loads(Result, dumps(result))
    assert dumps(again) == dumps(result)
    assert again.confirmations[0].accuracy == accuracy
    assert again.best == best
    assert np.isclose(again.confirmations[0].speed[0].ratio.estimate, 2)


def test_keeping_the_original_is_a_result() -> None:
    kept = Result(
        "r", "Keep the original.", Promise("equal", 0.0, "outputs equal"), (), Outcome(Candidate((), "eager")), None,
        (), (), (), {}, (), Hardware.here(),
    )  # fmt: skip
    assert loads(Result, dumps(kept)).best is None
