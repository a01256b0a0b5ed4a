from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedwell.core import Interval
from speedwell.report import words


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0268, "26.8 ms"), (0.00792, "7.92 ms"), (0.000213, "213 µs"), (1.34, "1.34 s"), (0.134, "134 ms"), (0, "0 ms"),
     (0.009996, "10.0 ms")],
)  # fmt: skip
def test_latency_has_three_significant_digits(value, text):
    assert words.milliseconds(value) == text


@given(st.floats(1e-12, 1e12))
def test_digits_stay_within_rounding_of_the_value_and_never_use_an_exponent(value):
    text = words.digits(value)
    assert "e" not in text
    assert float(text.replace(",", "")) == pytest.approx(value, rel=0.0051)


@given(st.floats(-1, 0))
def test_a_bound_on_a_loss_is_never_rounded_in_our_favour(lower):
    shown = float(words.bound_points(lower).split()[0])
    assert shown >= 100 * abs(lower) - 1e-9
    assert shown <= 100 * abs(lower) + 0.01 + 1e-9


@given(st.floats(0.01, 50), st.floats(0, 0.5))
def test_an_interval_is_rounded_outward(low, width):
    text = words.interval(Interval(low, low, low + width))
    a, b = (float(v) for v in text.strip("[]").split(", "))
    assert a <= low + 1e-8
    assert b >= low + width - 1e-8


@pytest.mark.parametrize(
    ("value", "text"),
    [(-0.022, "-2.2"), (0.001, "+0.1"), (0, "0.0"), (-0.0004, "-0.04"), (1e-9, "0.0"), (-0.41, "-41.0")],
)
def test_differences_carry_their_sign(value, text):
    assert words.signed_points(value) == text


def test_points_sizes_counts_and_spans():
    assert [words.points(v) for v in (0.01, -0.006, 0.0025)] == ["1 point", "0.6 points", "0.25 points"]
    assert [words.size(v) for v in (12, 812_000, 24_100_000, 3_000_000_000, 999_600)] == [
        "12 bytes", "812 kB", "24.1 MB", "3.00 GB", "1.00 MB"]  # fmt: skip
    assert words.memory(24 * 2**30) == "24 GB"
    assert [words.duration(v) for v in (0, 364.9, 3723)] == ["0:00", "6:04", "1:02:03"]
    assert [words.seconds(v) for v in (1.5, 45, 364, 3723)] == ["1.5 s", "45 s", "6 min 4 s", "1 h 2 min"]
    assert [words.plural(n, "text") for n in (1, 4500)] == ["1 text", "4,500 texts"]
    assert words.sure(0.025) == "97.5 % sure"
    assert words.listed(["a", "b", "c"]) == "a, b and c"
    assert [words.ratio(v) for v in (3.389, 12.34, 134.2)] == ["3.39x", "12.3x", "134x"]


def test_control_characters_cannot_reach_a_terminal():
    assert words.plain("a\x1b[31mb\x07\x9bc") == "a[31mbc"
