"""Rates that were measured here. That they are right a test cannot know; that they are used rightly it can."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedwell.native import supported_isas
from speedwell.native.calibration import LONG_RUN, AttentionSize, Rates, Stream, calibrate

STREAM = Stream(12, 1e9)


@pytest.mark.parametrize("isa", [isa for isa in supported_isas() if isa != "scalar"])
def test_what_the_plan_needs_is_measured_with_its_kernels(isa: str) -> None:
    widens = isa == "avx2"
    size = AttentionSize(40, 16, "int8")
    rates = calibrate(1, isa, 5 << 20, 1 << 20, int8=True, widens=widens, float32=True, attention=size)
    assert 1e6 < rates.int8 < 1e13
    assert 1e6 < rates.float32 < 1e13
    assert 1e6 < rates.attention < 1e13
    assert rates.int8_long >= rates.int8
    assert widens or rates.int8_long == rates.int8
    for stream, wanted in ((rates.weights, 6 << 20), (rates.activations, 1 << 20)):
        assert 1e6 < stream.bandwidth < 1e13
        assert wanted - 12 < stream.bytes <= wanted


def test_what_it_does_not_need_is_not() -> None:
    rates = calibrate(1, "", 0, 0, int8=False, widens=False, float32=False, attention=None)
    assert (rates.int8, rates.int8_long, rates.float32, rates.attention) == (0, 0, 0, 0)
    assert 0 < rates.activations.bytes <= 64 << 10 < rates.weights.bytes <= 1 << 20
    huge = calibrate(1, "", 1 << 40, 1 << 40, int8=False, widens=False, float32=False, attention=None)
    assert huge.weights.bytes <= 64 << 20


def test_seconds_of_a_product_pass_through_both_rates_that_were_timed() -> None:
    rates = Rates(100e9, 150e9, 0, 0, STREAM, STREAM)
    assert rates.int8_seconds(10**9, 1) == pytest.approx(1e9 / 100e9)
    assert rates.int8_seconds(10**9, LONG_RUN) == pytest.approx(1e9 / 150e9)
    assert 1e9 / 150e9 < rates.int8_seconds(10**9, 4) < 1e9 / 100e9


@given(st.floats(1e9, 1e12), st.floats(1, 3), st.floats(1, 64), st.floats(1, 64))
def test_longer_runs_never_cost_more_and_none_is_free(rate: float, gain: float, one: float, other: float) -> None:
    rates = Rates(rate, rate * gain, 0, 0, STREAM, STREAM)
    short, long = (rates.int8_seconds(10**9, t) for t in sorted((one, other)))
    assert short >= long >= 0
    if gain < 2:
        assert long > 0
