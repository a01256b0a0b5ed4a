import pytest

from speedwell.core import AccuracyClaim, AccuracyVerdict, Interval, Promise, SpeedClaim, SpeedVerdict, Workload, decode
from speedwell.core.record import encode


@pytest.mark.parametrize(
    ("verdict", "holds"), [("better", True), ("kept", True), ("lost", False), ("undecided", False)]
)
def test_which_verdicts_certify(verdict: str, holds: bool) -> None:
    assert AccuracyVerdict(verdict).holds is holds


def test_claims_come_back_whole() -> None:
    claim = AccuracyClaim(AccuracyVerdict.UNDECIDED, 0.9, 0.89, -0.02, 0.01, 100, "Tango", 1, 2, 900, 0.025, "few")
    assert decode(AccuracyClaim, encode(claim)) == claim
    speed = SpeedClaim(
        SpeedVerdict.UNDECIDED, Interval(1.0, 0.9, 1.1, 0.95, True), "original", Workload(2, 1), 6, 0.1, 0.1, "noisy",
        (((0.1, 0.2), (0.3, 0.4)),),
    )  # fmt: skip
    assert decode(SpeedClaim, encode(speed)) == speed
    promise = Promise("agreement", 0.01, "agree 99%")
    assert decode(Promise, encode(promise)) == promise
    assert promise.alpha == 0.05
