from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedwell.core import OperatorTime
from speedwell.engines.operator_times import operator_times


def test_rows_of_a_kind_are_added_and_divided_by_the_runs() -> None:
    rows = [("Conv", 0.5, 1), ("Relu", 3.0, 1), ("Conv", 1.5, 1), ("Conv", 2.0, 2)]
    assert operator_times(rows, 2) == (OperatorTime("Conv", 2.0, 2), OperatorTime("Relu", 1.5, 1))


def test_no_rows_give_no_table() -> None:
    assert operator_times([], 3) == ()


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.floats(0, 10), st.integers(1, 3))), st.integers(1, 5))
def test_the_total_stays_and_the_largest_is_first(rows: list[tuple[str, float, int]], runs: int) -> None:
    table = operator_times(rows, runs)
    assert sum(r.seconds for r in table) * runs == pytest.approx(sum(seconds for _, seconds, _ in rows))
    assert [r.seconds for r in table] == sorted((r.seconds for r in table), reverse=True)
    assert {r.operator for r in table} == {kind for kind, _, _ in rows}
