import pytest

from speedwell.core.errors import EmptySplitError
from speedwell.measure.power import claim_power
from speedwell.measure.preflight import look_ahead


def test_the_tightest_promise_has_eighty_percent_power():
    seen = look_ahead(4500)
    assert seen.tightest == pytest.approx(0.007)
    assert claim_power(4500, 0.03, 0.0, seen.tightest) >= 0.8
    assert seen.enough
    assert "down to 0.7 points" in seen.sentence


def test_too_little_data_says_what_more_would_buy():
    seen = look_ahead(500, 0.01)
    assert not seen.enough
    assert 0.2 < seen.power < 0.5
    assert seen.need == pytest.approx(2000, rel=0.1)
    assert f"{seen.need:,} samples" in seen.sentence


def test_enough_data_says_so():
    seen = look_ahead(4500, 0.01)
    assert seen.enough
    assert seen.need == 0
    assert "within reach" in seen.sentence


def test_agreement_is_looked_at_by_its_own_bound():
    assert look_ahead(2000, 0.02, "agreement").enough
    short = look_ahead(300, 0.02, "agreement")
    assert not short.enough
    assert short.need > 300
    assert look_ahead(1000, 0.01, "agreement", disagreement=0.01).need == 0


def test_scores_need_a_hundred_units():
    assert look_ahead(60, 0.05, "score").power == 0
    assert look_ahead(60, 0.05, "score").need >= 100
    assert look_ahead(2000, 0.02, "score").enough


def test_a_handful_of_samples_is_refused():
    with pytest.raises(EmptySplitError):
        look_ahead(9)
