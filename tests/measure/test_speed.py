import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedwell.core import SpeedVerdict, Workload, dumps
from speedwell.measure.speed import a_a_control, at_least, pair_effects, speed_claim

WORKLOAD = Workload(1, 2)


def pairs(ratio, count=12, seed=0, process=0.01, call=0.05, calls=15):
    """Process pairs as they are met: a slow drift per process, skewed noise per call."""
    rng = np.random.default_rng(seed)

    def process_times(seconds):
        level = seconds * np.exp(process * rng.standard_normal())
        return tuple(level * (1 + call * rng.exponential(size=calls)))

    return [(process_times(0.010 * ratio), process_times(0.010)) for _ in range(count)]


@pytest.mark.parametrize("ratio", [1.0, 1.02, 1.05, 1.2])
def test_planted_speed_ups_are_estimated_without_bias_and_covered(ratio):
    claims = [speed_claim(pairs(ratio, seed=s), "original", WORKLOAD) for s in range(200)]
    found = np.log([c.ratio.estimate for c in claims])
    assert abs(found.mean() - np.log(ratio)) < 4 * found.std() / np.sqrt(len(found))
    assert np.mean([c.ratio.low <= ratio <= c.ratio.high for c in claims]) >= 0.92


def test_a_model_against_itself_is_rarely_called_faster_or_slower():
    verdicts = [speed_claim(pairs(1.0, seed=s), "original", WORKLOAD).verdict for s in range(300)]
    assert np.mean([v is not SpeedVerdict.UNDECIDED for v in verdicts]) <= 0.08


def test_each_verdict_has_its_case():
    assert speed_claim(pairs(1.3), "original", WORKLOAD).verdict is SpeedVerdict.FASTER
    assert speed_claim(pairs(0.7), "original", WORKLOAD).verdict is SpeedVerdict.SLOWER
    assert speed_claim(pairs(1.0), "original", WORKLOAD).verdict is SpeedVerdict.UNDECIDED


def test_a_claim_holds_its_numbers_and_can_be_written():
    claim = speed_claim(pairs(1.5), "fastest", WORKLOAD)
    assert claim.baseline == "fastest"
    assert claim.pairs == 12
    assert claim.note == ""
    assert claim.baseline_seconds == pytest.approx(0.0155, rel=0.1)
    assert claim.baseline_seconds / claim.candidate_seconds == pytest.approx(1.5, rel=0.05)
    assert len(claim.samples) == 12
    dumps(claim)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 6, 11])
def test_few_pairs_give_a_finite_interval_and_say_that_it_is_no_claim(count):
    claim = speed_claim(pairs(1.2, count), "original", WORKLOAD)
    assert 0 < claim.ratio.low < claim.ratio.estimate < claim.ratio.high
    assert "no claim" in claim.note
    assert not at_least(claim, 1.0)
    dumps(claim)


def test_search_estimates_cover_what_they_say():
    for count in (1, 3, 5):
        claims = [speed_claim(pairs(1.1, count, seed=s, process=0.015), "original", WORKLOAD) for s in range(200)]
        assert np.mean([c.ratio.low <= 1.1 <= c.ratio.high for c in claims]) >= 0.9


def test_at_least_holds_by_the_one_sided_bound():
    claim = speed_claim(pairs(1.5, process=0.005), "original", WORKLOAD)
    assert at_least(claim, 1.4)
    assert not at_least(claim, 1.5 * 1.05)
    assert at_least(claim, claim.ratio.low)


def test_at_least_the_truth_is_said_at_most_one_time_in_twenty():
    said = [at_least(speed_claim(pairs(1.2, seed=s), "original", WORKLOAD), 1.2) for s in range(400)]
    assert np.mean(said) <= 0.075


def test_a_quiet_machine_is_trusted_and_a_noisy_one_makes_no_small_claim():
    quiet = a_a_control(pairs(1.0, process=0.002, call=0.01), "original", WORKLOAD)
    assert not quiet.noisy
    noisy = a_a_control(pairs(1.0, process=0.08), "original", WORKLOAD)
    assert noisy.noisy
    small = speed_claim(pairs(1.05, process=0.002), "original", WORKLOAD, noisy)
    assert small.verdict is SpeedVerdict.UNDECIDED
    assert "machine too noisy" in small.note
    large = speed_claim(pairs(3.0, process=0.002), "original", WORKLOAD, noisy)
    assert large.verdict is SpeedVerdict.FASTER
    assert "machine too noisy" in large.note
    assert speed_claim(pairs(1.05, process=0.002), "original", WORKLOAD, quiet).verdict is SpeedVerdict.FASTER


def test_a_control_that_leaves_one_is_noisy_however_narrow():
    control = a_a_control(pairs(1.01, process=0.0005, call=0.001), "original", WORKLOAD)
    assert control.noisy
    assert control.floor > 1.03


@given(st.integers(0, 1000), st.floats(0.2, 5))
def test_swapping_the_two_inverts_the_ratio_and_units_do_not_matter(seed, unit):
    given_pairs = pairs(1.1, 8, seed)
    claim = speed_claim(given_pairs, "original", WORKLOAD)
    swapped = speed_claim([(b, a) for a, b in given_pairs], "original", WORKLOAD)
    assert swapped.ratio.estimate == pytest.approx(1 / claim.ratio.estimate)
    assert swapped.ratio.low == pytest.approx(1 / claim.ratio.high)
    scaled = [(tuple(unit * x for x in a), tuple(unit * x for x in b)) for a, b in given_pairs]
    assert speed_claim(scaled, "original", WORKLOAD).ratio.low == pytest.approx(claim.ratio.low)


def test_broken_samples_are_refused():
    for broken in ([((1.0,), (1.0, 2.0))], [((), ())], [((0.0,), (1.0,))], [((float("nan"),), (1.0,))]):
        with pytest.raises(ValueError, match=r"calls|seconds"):
            pair_effects(broken)
    with pytest.raises(ValueError, match="no pairs"):
        speed_claim([], "original", WORKLOAD)
