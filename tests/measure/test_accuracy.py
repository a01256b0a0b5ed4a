import numpy as np
import pytest

from speedwell.core import Evidence, Promise
from speedwell.core.errors import UsageError
from speedwell.measure.accuracy import claim_p, judge


def evidence(kind, n=400, labelled=True):
    answers = np.zeros(n, dtype=np.int64)
    return Evidence(kind, np.ones(n) if labelled else np.array([]), answers)


@pytest.mark.parametrize(
    ("kind", "labelled", "promise", "test"),
    [
        ("binary", True, "accuracy", "Tango"),
        ("score", True, "accuracy", "bootstrap"),
        ("binary", False, "accuracy", "Clopper-Pearson"),
        ("binary", True, "agreement", "Clopper-Pearson"),
    ],
)
def test_the_test_follows_from_evidence_and_promise(kind, labelled, promise, test):
    one = evidence(kind, labelled=labelled)
    claim = judge(one, one, Promise(promise, 0.01, "1pt"))
    assert test in claim.test
    assert claim.verdict.holds
    assert claim_p(one, one, Promise(promise, 0.01, "1pt")) <= 0.05


def test_a_halved_alpha_is_used():
    one = evidence("binary", n=300)
    assert judge(one, one, Promise("accuracy", 0.01, "1pt")).verdict.holds
    assert not judge(one, one, Promise("accuracy", 0.01, "1pt", alpha=0.025)).verdict.holds


def test_a_promise_without_samples_is_not_judged_on_samples():
    with pytest.raises(UsageError):
        judge(evidence("binary"), evidence("binary"), Promise("equal", 0.0, "equal"))
