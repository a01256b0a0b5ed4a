import numpy as np
import pytest
from scipy import stats

from speedwell.core import AccuracyVerdict, Evidence
from speedwell.core.errors import DataError, EmptySplitError
from speedwell.measure.agreement import agreement_p, differing, judge_agreement, judge_with_labels


def answers(values):
    return Evidence("binary", np.array([]), np.asarray(values, dtype=np.int64))


def pair(n, k):
    first = np.zeros(n, dtype=np.int64)
    second = first.copy()
    second[:k] = 1
    return answers(first), answers(second)


@pytest.mark.parametrize(("k", "n", "points"), [(0, 300, 0.99), (12, 2000, 0.97)])
def test_few_differences_certify_without_labels(k, n, points):
    claim = judge_agreement(*pair(n, k), 0.01, promise="accuracy")
    assert claim.verdict is AccuracyVerdict.KEPT
    assert round(-claim.lower * 100, 2) == points
    assert claim.candidate == 1 - k / n


def test_agreement_can_be_lost_and_accuracy_cannot_be_lost_without_labels():
    assert judge_agreement(*pair(1000, 60), 0.01).verdict is AccuracyVerdict.LOST
    claim = judge_agreement(*pair(1000, 60), 0.01, promise="accuracy")
    assert claim.verdict is AccuracyVerdict.UNDECIDED
    assert "labels of the 60 inputs" in claim.note


def test_too_few_samples_are_undecided():
    claim = judge_agreement(*pair(100, 0), 0.01)
    assert claim.verdict is AccuracyVerdict.UNDECIDED
    assert claim.need == 299


def test_only_the_differing_samples_need_a_label():
    original, candidate = answers([0, 1, 2, 3]), answers([0, 2, 2, 0])
    np.testing.assert_array_equal(differing(original, candidate), [1, 3])


def test_labels_of_the_differences_decide_what_the_bound_cannot():
    original, candidate = pair(2000, 60)
    labels = {i: (1 if i < 28 else 0 if i < 56 else 9) for i in range(60)}
    claim = judge_with_labels(original, candidate, labels, 0.01)
    assert (claim.n12, claim.n21) == (28, 28)
    assert claim.verdict is AccuracyVerdict.KEPT


def test_missing_labels_count_against_the_candidate_but_do_not_condemn_it():
    original, candidate = pair(2000, 60)
    few = judge_with_labels(original, candidate, dict.fromkeys(range(5), 1), 0.01)
    assert (few.n12, few.n21) == (5, 55)
    assert few.verdict is AccuracyVerdict.UNDECIDED
    assert judge_with_labels(original, candidate, dict.fromkeys(range(60), 0), 0.01).verdict is AccuracyVerdict.LOST


def test_the_p_value_is_the_binomial_tail():
    assert agreement_p(12, 2000, 0.01) == pytest.approx(stats.binom.cdf(12, 2000, 0.01))
    assert agreement_p(0, 299, 0.01) < 0.05 < agreement_p(0, 298, 0.01)


def test_false_certificates_stay_at_five_percent():
    k = np.arange(14)
    for n in (300, 2000):
        kept = [judge_agreement(*pair(n, int(i)), 0.01).verdict is AccuracyVerdict.KEPT for i in k]
        assert stats.binom.pmf(k[kept], n, 0.01).sum() <= 0.05


def test_what_is_no_pair_is_refused():
    with pytest.raises(DataError):
        differing(answers([1]), answers([1, 2]))
    with pytest.raises(EmptySplitError):
        differing(answers([]), answers([]))
