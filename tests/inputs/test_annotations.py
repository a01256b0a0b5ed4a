from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedwell.core.errors import DataError
from speedwell.inputs.annotations import Annotations, inside

EDGE = st.one_of(st.integers(-20, 60).map(float), st.floats(width=32), st.just(float("nan")))


@given(
    st.lists(st.tuples(st.integers(0, 3), st.tuples(EDGE, EDGE, EDGE, EDGE)), max_size=12),
    st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=4, max_size=4),
)
def test_what_stays_is_inside_and_every_other_box_is_told(rows, sizes):
    m = len(rows)
    marked = Annotations(
        np.array([p for p, _ in rows], np.int64), np.array([b for _, b in rows], np.float64).reshape(-1, 4),
        np.arange(m), np.zeros(m, bool), str,
    )  # fmt: skip
    table, warnings = marked.table(np.array(sizes))
    told = sum(int(w.split()[0]) for w in warnings if "left out" in w)
    assert len(table.boxes) + told == m
    assert sorted(set(table.classes.tolist())) == sorted(table.classes.tolist())
    for i, objects in enumerate(table):  # each is a valid record
        assert objects.clipped().same(objects)
        assert objects.size == sizes[i]
        for j, box in zip(objects.classes.tolist(), objects.boxes.tolist(), strict=True):
            assert rows[j][0] == i
            for have, want, end in zip(box, rows[j][1], (*sizes[i][::-1], *sizes[i][::-1]), strict=True):
                assert have == np.float32(min(max(want, 0), end))


@pytest.mark.parametrize("name", ["../a", "a/../../b", "/a", "\\a", "..\\a", "C:/a", "c:a", "", ".", "/", "a\0b", ".."])
def test_names_that_lead_outside_are_refused(name):
    with pytest.raises(DataError, match="leads outside"):
        inside(Path("home"), name, "a.json")


@pytest.mark.parametrize(
    ("name", "want"), [("a.jpg", "a.jpg"), ("a\\b.jpg", "a/b.jpg"), ("a..b/..c.jpg", "a..b/..c.jpg")]
)
def test_other_names_are_taken(name, want):
    assert inside(Path("home"), name, "a.json") == Path("home") / want
