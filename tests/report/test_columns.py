from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from speedwell.core import Interval
from speedwell.report import TrialRow
from speedwell.report.columns import Columns

LONG = TrialRow(8, "int8 static (percentile, 4 keep float), ONNX Runtime", 0.931, -0.022, 0.0270,
                Interval(0.99, 0.98, 1.0), "lost: 2.2 points below, promise 1.0")  # fmt: skip


@given(
    st.integers(80, 200),
    st.builds(
        TrialRow,
        st.integers(),
        st.text(min_size=1, max_size=120),
        st.none() | st.floats(0, 1),
        st.none() | st.floats(-1, 1),
        st.none() | st.floats(1e-6, 1e3),
        st.none() | st.just(Interval(3.39, 3.35, 3.44)),
        st.text(max_size=200),
        st.booleans(),
        st.booleans(),
    ),
)
def test_no_row_is_wider_than_the_console(width, row):
    columns = Columns.fit(width)
    assert all(cell_len(line) < width for line in columns.row(row).plain.split("\n"))
    assert cell_len(columns.head().plain) < width


def test_what_does_not_fit_goes_on_under_its_own_column():
    lines = Columns.fit(80).row(LONG).plain.split("\n")
    start = Columns.fit(80).head().plain.index("against")
    assert len(lines) > 1
    assert all(line[start - 1] == " " and line[start] != " " for line in lines if len(line) > start)
    assert " ".join(line[start:] for line in lines).split() == [
        "0.99x",
        "[0.98,",
        "1.00]",
        "lost:",
        "2.2",
        "points",
        "below,",
        "promise",
        "1.0",
    ]


def test_in_a_pipe_each_row_is_one_line_with_every_word():
    line = Columns.fit(80, endless=True).row(LONG).plain
    assert "\n" not in line
    assert LONG.label in line
    assert line.endswith("0.99x  [0.98, 1.00]  lost: 2.2 points below, promise 1.0")


@pytest.mark.parametrize(("width", "word"), [(80, "best"), (120, "best so far")])
def test_the_best_so_far_stands_in_its_own_line(width, word):
    row = TrialRow(1, "int8", 0.952, -0.001, 0.0079, Interval(3.39, 3.35, 3.44), best=True)
    assert Columns.fit(width).row(row).plain.endswith(f"3.39x  [3.35, 3.44]  {word}")


def test_equal_unlabelled_and_failed_rows_show_what_they_have():
    columns = Columns.fit(120)
    assert "95.3 %  =" in columns.row(TrialRow(1, "a", 0.953, 0.0)).plain
    assert "(-0.3)" in columns.row(TrialRow(1, "a", None, -0.003)).plain
    failed = columns.row(TrialRow(1, "a", words="crash while it was built", failed=True)).plain
    assert failed.split() == ["a", "crash", "while", "it", "was", "built"]
