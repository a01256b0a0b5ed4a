from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedwell.core.errors import UsageError
from speedwell.search import Budget, parse_seconds, spell_seconds


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10m", 600),
        ("90s", 90),
        ("1h30m", 5400),
        ("20", 20),
        ("1.5h", 5400),
        (" 2H 3M 4s ", 7384),
        (20, 20),
        (0.5, 0.5),
    ],
)
def test_times_are_read_as_people_write_them(text: str | float, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "ten", "10x", "m", "-5", "0", "0s", "inf", "nan", "30m1h", "5m5m", "1h30", "1e400"]
)
def test_anything_else_is_a_usage_error_with_the_way_out(text: str) -> None:
    with pytest.raises(UsageError, match="budget") as caught:
        parse_seconds(text)
    assert "10m" in caught.value.fix


@given(st.integers(0, 99), st.integers(0, 59), st.integers(1, 59))
def test_hours_minutes_seconds_add_up(h: int, m: int, s: int) -> None:
    assert parse_seconds(f"{h}h{m}m{s}s") == 3600 * h + 60 * m + s


def test_the_confirmation_gets_a_fifth_or_what_it_costs() -> None:
    clock = Clock()
    budget = Budget.start("10m", clock)
    assert (budget.reserve, budget.for_search()) == (120, 480)
    dearer = budget.with_confirmation_cost(200)
    assert (dearer.reserve, dearer.for_search()) == (200, 400)
    assert budget.with_confirmation_cost(50).reserve == 120
    clock.now += 380
    assert (budget.used(), budget.left(), budget.for_search()) == (380, 220, 100)
    assert budget.fits(100)
    assert not budget.fits(100.1)
    assert budget.words == "6:20 used, 3:40 left, of which 2:00 for the confirmation"
    clock.now += 1000
    assert (budget.left(), budget.for_search()) == (0, 0)


def test_a_resumed_run_goes_on_counting() -> None:
    assert Budget.start(100, Clock(), before=70).left() == 30


def test_a_budget_too_short_says_which_would_do() -> None:
    budget = Budget.start("1s", Clock())
    with pytest.raises(UsageError, match="too short") as caught:
        budget.require(20, "the first measured row")
    assert caught.value.fix == "Ask for at least --budget 25s."
    Budget.start("25s", Clock()).require(20, "the first measured row")
    asked = Budget.start("10s", Clock()).with_confirmation_cost(30)
    with pytest.raises(UsageError, match="too short") as caught:
        asked.require(20, "x")
    Budget.start("50s", Clock()).with_confirmation_cost(30).require(20, "x")
    assert "50s" in caught.value.fix


def test_times_are_spelled_as_on_a_clock() -> None:
    assert [spell_seconds(s) for s in (0, 59.6, 236, 3964, -3)] == ["0:00", "1:00", "3:56", "1:06:04", "0:00"]
