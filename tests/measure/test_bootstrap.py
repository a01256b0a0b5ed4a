import numpy as np
import pytest

from speedwell.core import AccuracyVerdict, Evidence
from speedwell.core.errors import DataError, UsageError
from speedwell.measure.bootstrap import bootstrap_differences, bootstrap_p, judge_score


def scores(values):
    return Evidence("score", np.asarray(values, dtype=np.float64), np.array([], dtype=np.int64))


def drawn(n, shift, seed=0, spread=0.1):
    rng = np.random.default_rng(seed)
    base = rng.random(n)
    return scores(base), scores(base + shift + spread * rng.standard_normal(n))


def test_each_verdict_has_its_case():
    assert judge_score(*drawn(500, 0.05), 0.02).verdict is AccuracyVerdict.BETTER
    assert judge_score(*drawn(500, -0.005), 0.02).verdict is AccuracyVerdict.KEPT
    assert judge_score(*drawn(500, -0.06), 0.02).verdict is AccuracyVerdict.LOST
    undecided = judge_score(*drawn(500, -0.016), 0.02)
    assert undecided.verdict is AccuracyVerdict.UNDECIDED
    assert undecided.need > 500


def test_under_a_hundred_units_or_thirty_objects_is_undecided():
    claim = judge_score(*drawn(99, 0.0, spread=0.001), 0.05)
    assert claim.verdict is AccuracyVerdict.UNDECIDED
    assert claim.need == 100
    claim = judge_score(*drawn(200, 0.0, spread=0.001), 0.05, objects_per_class=[500, 29])
    assert claim.verdict is AccuracyVerdict.UNDECIDED


def test_samples_of_one_unit_are_drawn_together():
    original, candidate = drawn(400, 0.0)
    units = np.repeat(np.arange(100), 4)
    assert judge_score(original, candidate, 0.05, units=units).n == 100
    shifted = scores(original.scores + np.repeat(np.random.default_rng(1).standard_normal(100) * 0.1, 4))
    alone, _ = bootstrap_differences(original, shifted)
    together, count = bootstrap_differences(original, shifted, units=np.array([f"d{u}" for u in units]))
    assert count == 100
    assert together.std() > 1.6 * alone.std()


def test_a_metric_of_any_resample_gives_the_same_as_the_mean_it_is():
    original, candidate = drawn(150, -0.01)

    def mean(evidence, index=None):
        return float(evidence.scores.mean() if index is None else evidence.scores[index].mean())

    fast = judge_score(original, candidate, 0.03)
    slow = judge_score(original, candidate, 0.03, metric=mean)
    assert slow.verdict is fast.verdict
    assert slow.lower == pytest.approx(fast.lower, abs=0.003)
    assert slow.original == pytest.approx(fast.original)


def test_a_seed_fixes_the_answer():
    original, candidate = drawn(200, -0.01)
    assert judge_score(original, candidate, 0.02, seed=3) == judge_score(original, candidate, 0.02, seed=3)


def test_bad_input_is_refused():
    original, candidate = drawn(200, 0.0)
    with pytest.raises(UsageError, match="resamples"):
        judge_score(original, candidate, 0.02, resamples=100)
    with pytest.raises(DataError, match="units"):
        judge_score(original, candidate, 0.02, units=np.zeros(3))
    with pytest.raises(DataError, match="not finite"):
        judge_score(original, candidate, 0.02, metric=lambda e, i: float("nan"))  # noqa: ARG005


def test_the_p_value_is_never_zero():
    assert 0 < bootstrap_p(np.ones(2000), 0.01) < 0.001
    assert bootstrap_p(-np.ones(2000), 0.01) == 1.0


def error_rate(simulations, n):
    """Skewed differences with mean -margin exactly: 8 % of the units lose a lot, the rest gain a little."""
    rng = np.random.default_rng(17)
    margin, hits = 0.02, 0
    for i in range(simulations):
        bad = rng.random(n) < 0.3
        difference = np.where(bad, -0.2, 0.02) + 0.05 * rng.standard_normal(n)
        difference += -margin - (0.3 * -0.2 + 0.7 * 0.02)
        differences, _ = bootstrap_differences(scores(np.zeros(n)), scores(difference), seed=i)
        hits += np.sort(differences)[99] > -margin
    return hits / simulations


def test_the_error_at_the_margin_is_near_five_percent():
    assert 0.03 <= error_rate(500, 120) <= 0.07


@pytest.mark.slow
@pytest.mark.parametrize("n", [100, 300, 1000])
def test_the_error_at_the_margin_is_near_five_percent_for_every_n(n):
    assert 0.03 <= error_rate(2000, n) <= 0.07
