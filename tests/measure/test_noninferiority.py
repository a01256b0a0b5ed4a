import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedwell.core import AccuracyVerdict, Evidence
from speedwell.core.errors import DataError, EmptySplitError, UsageError
from speedwell.measure.exact import exact_threshold
from speedwell.measure.noninferiority import binary_p, judge_binary, judge_counts, paired_counts
from speedwell.measure.tango import tango_z


def evidence(scores):
    return Evidence("binary", np.asarray(scores, dtype=np.float64), np.array([], dtype=np.int64))


def pair(both, n12, n21, neither):
    original = [1] * both + [0] * n12 + [1] * n21 + [0] * neither
    candidate = [1] * both + [1] * n12 + [0] * n21 + [0] * neither
    return evidence(original), evidence(candidate)


def test_a_claim_holds_its_numbers():
    claim = judge_binary(*pair(1800, 10, 14, 176), 0.01)
    assert claim.verdict is AccuracyVerdict.KEPT
    assert (claim.n, claim.n12, claim.n21, claim.need) == (2000, 10, 14, 0)
    assert claim.original == pytest.approx(1814 / 2000)
    assert claim.candidate == pytest.approx(1810 / 2000)
    assert -0.01 < claim.lower < -0.002


def test_each_verdict_has_its_case():
    assert judge_counts(60, 10, 2000, 0.01).verdict is AccuracyVerdict.BETTER
    assert judge_counts(5, 5, 2000, 0.01).verdict is AccuracyVerdict.KEPT
    assert judge_counts(5, 80, 2000, 0.01).verdict is AccuracyVerdict.LOST
    assert judge_counts(10, 30, 2000, 0.01).verdict is AccuracyVerdict.UNDECIDED


@pytest.mark.parametrize(("n", "margin", "need"), [(298, 0.01, 299), (148, 0.02, 149), (100, 0.005, 598)])
def test_too_few_samples_are_undecided_and_say_how_many_are_needed(n, margin, need):
    claim = judge_counts(0, 0, n, margin)
    assert claim.verdict is AccuracyVerdict.UNDECIDED
    assert claim.need == need
    assert f"need n >= {need}" in claim.note


def test_tango_alone_is_not_enough():
    claim = judge_counts(0, 0, 268, 0.01)
    assert claim.lower > -0.01
    assert claim.verdict is AccuracyVerdict.UNDECIDED
    assert "exact" in claim.note


def test_an_undecided_loss_near_the_margin_asks_for_more():
    assert judge_counts(10, 26, 2000, 0.01).need > 2000
    assert judge_counts(0, 20, 2000, 0.01).need == 0


@settings(max_examples=15)
@given(st.integers(0, 30), st.integers(0, 30), st.integers(100, 1500), st.sampled_from([0.005, 0.01, 0.02]))
def test_a_candidate_with_more_harm_is_never_judged_better(n12, n21, n, margin):
    rank = {"lost": 0, "undecided": 1, "kept": 2, "better": 3}
    here = judge_counts(n12, n21, n, margin)
    worse = judge_counts(n12, n21 + 1, n, margin)
    assert rank[worse.verdict.value] <= rank[here.verdict.value]
    assert worse.lower <= here.lower
    assert here.verdict.holds == (binary_p(n12, n21, n, margin) < 0.05)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_the_samples_does_not_matter(seed):
    original, candidate = pair(150, 3, 4, 43)
    order = np.random.default_rng(seed).permutation(200)
    assert judge_binary(original.take(order), candidate.take(order), 0.05) == judge_binary(original, candidate, 0.05)


def test_what_is_no_pair_is_refused():
    with pytest.raises(DataError, match="no pairs"):
        paired_counts(evidence([1, 0]), evidence([1]))
    with pytest.raises(EmptySplitError):
        paired_counts(evidence([]), evidence([]))
    with pytest.raises(DataError, match="0 or 1"):
        paired_counts(evidence([0.5]), evidence([1]))
    with pytest.raises(DataError, match="finite"):
        paired_counts(evidence([np.nan]), evidence([1]))
    with pytest.raises(UsageError, match="margin"):
        judge_counts(0, 0, 10, 0.0)


def certified(counts, n, margin):
    z = tango_z(counts[..., 0], counts[..., 1], np.array(n), np.array(-margin))
    return z >= exact_threshold(n, margin)


@pytest.mark.parametrize("psi", [0.01, 0.02, 0.04, 0.08])
def test_drawn_tables_at_the_margin_are_kept_at_most_one_time_in_twenty(psi):
    n, margin = 1000, 0.01
    rng = np.random.default_rng(int(psi * 1000))
    counts = rng.multinomial(n, [(psi - margin) / 2, (psi + margin) / 2, 1 - psi], 40_000)
    assert certified(counts, n, margin).mean() <= 0.052


@pytest.mark.parametrize("loss", [0.0, 0.005, 0.01, 0.02])
def test_planted_losses_are_estimated_without_bias(loss):
    rng = np.random.default_rng(7)
    counts = rng.multinomial(2000, [(0.03 - loss) / 2, (0.03 + loss) / 2, 0.97], 60)
    claims = [judge_counts(int(b), int(c), 2000, 0.01) for b, c, _ in counts]
    found = np.array([c.original - c.candidate for c in claims])
    assert abs(found.mean() - loss) < 3 * found.std() / np.sqrt(len(found))


def test_two_hundred_searches_over_failing_candidates_certify_at_most_five_percent():
    rng = np.random.default_rng(11)
    psi, loss, margin, n = 0.03, 0.013, 0.01, 2000
    truth = [(psi - loss) / 2, (psi + loss) / 2, 1 - psi]
    selection = rng.multinomial(n, truth, (200, 50))
    best = (selection[..., 0] - selection[..., 1]).argmax(axis=1)
    naive = certified(selection[np.arange(200), best], n, margin).mean()
    confirmed = certified(rng.multinomial(n, truth, 200), n, margin).mean()
    assert naive > 0.2  # the same data twice: what the fresh split protects from
    assert confirmed <= 0.05
