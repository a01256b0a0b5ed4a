import pytest

from speedwell.core.errors import UsageError
from speedwell.measure.promise import parse_promise, settle_promise


@pytest.mark.parametrize(
    ("words", "margin"),
    [("1pt", 0.01), ("0.5pt", 0.005), ("2 points", 0.02), ("1%", 0.01), (".5%", 0.005), ("0.01", 0.01), (0.02, 0.02)],
)
def test_points_and_fractions_are_read(words, margin):
    promise = parse_promise(words)
    assert promise.kind == "accuracy"
    assert promise.margin == pytest.approx(margin)
    assert promise.stated == str(words)


def test_a_relative_drop_waits_for_the_originals_score():
    promise = parse_promise("1%rel")
    assert promise.margin == 0.0
    assert settle_promise(promise, original_score=0.8).margin == pytest.approx(0.008)
    with pytest.raises(UsageError, match="relative"):
        settle_promise(promise)


def test_auto_waits_for_the_preflight_and_is_the_default():
    assert parse_promise() == parse_promise("auto")
    assert settle_promise(parse_promise("auto"), tightest_margin=0.007).margin == 0.007
    with pytest.raises(UsageError, match="labelled"):
        settle_promise(parse_promise())


@pytest.mark.parametrize(("words", "margin"), [("99%", 0.01), ("0.98", 0.02), (0.995, 0.005), ("99.5 %", 0.005)])
def test_agreement_is_read(words, margin):
    promise = parse_promise(agree=words)
    assert promise.kind == "agreement"
    assert promise.margin == pytest.approx(margin)


@pytest.mark.parametrize("words", ["1", 1.0, "5", "0", "0pt", "-1pt", "nan", "inf", "", "1pp1", "100%", "many"])
def test_what_is_no_promise_is_refused_with_the_way_to_write_it(words):
    with pytest.raises(UsageError) as caught:
        parse_promise(words)
    assert caught.value.fix


@pytest.mark.parametrize("words", ["100%", "1", "0.2", "99pt", "-1"])
def test_what_is_no_share_is_refused(words):
    with pytest.raises(UsageError) as caught:
        parse_promise(agree=words)
    assert caught.value.fix


def test_two_promises_are_one_too_many():
    with pytest.raises(UsageError, match="two promises"):
        parse_promise("1pt", "99%")


def test_a_settled_promise_stays():
    promise = parse_promise("1pt")
    assert settle_promise(promise, 0.5, 0.3) is promise
