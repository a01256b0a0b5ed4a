from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from speedwell.report.svg import Labels, Scale, chart, element, fit_text, log_ticks, nice_ticks, text_width, tick_text


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 10))
def test_ticks_are_inside_ordered_and_neither_sparse_nor_many(low, width, wanted):
    ticks = nice_ticks(low, low + width, wanted)
    assert ticks == sorted(ticks)
    assert all(low - 1e-6 * width <= t <= low + width + 1e-6 * width for t in ticks)
    assert 1 <= len(ticks) <= wanted + 2


@given(st.floats(1e-3, 1e3), st.floats(1.2, 1e4))
def test_log_ticks_are_inside(low, factor):
    ticks = log_ticks(low, low * factor)
    assert all(low * 0.998 <= t <= low * factor * 1.002 for t in ticks)
    assert len(set(ticks)) == len(ticks) >= 1


@given(st.lists(st.floats(0.01, 1e4), min_size=1, max_size=20), st.none() | st.booleans())
def test_a_scale_keeps_order_and_range(values, log):
    scale = Scale.around(values, 10, 200, log)
    ends = [scale.at(v) for v in sorted(values)]
    assert ends == sorted(ends)
    assert all(10 <= e <= 200 for e in ends)
    assert scale.at(1e9) == pytest.approx(200)


def test_a_scale_without_extent_is_refused():
    with pytest.raises(ValueError, match="low < high"):
        Scale(1, 1, 0, 1)
    with pytest.raises(ValueError, match="low > 0"):
        Scale(0, 1, 0, 1, log=True)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_text_and_attributes_are_escaped(text):
    made = element("text", text, Markup("<b/>"), data_tip=text, x=1.0, y=None)
    parsed = ET.fromstring(made)
    assert parsed.text == text
    assert parsed.attrib == {"data-tip": text, "x": "1"}


def test_a_chart_has_an_accessible_name_and_description():
    root = ET.fromstring(chart(100, 50, "a", "Title", "What it shows"))
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-labelledby"] == "a-t a-d"
    assert [(c.tag, c.attrib["id"], c.text) for c in root] == [
        ("title", "a-t", "Title"),
        ("desc", "a-d", "What it shows"),
    ]


@given(st.lists(st.tuples(st.floats(0, 300), st.floats(0, 200)), max_size=20))
def test_placed_labels_overlap_neither_each_other_nor_the_edge(points):
    labels = Labels(0, 0, 300, 200)
    boxes = []
    for x, y in points:
        before = len(labels.taken)
        spot = labels.place(x, y, "int8 dynamic")
        assert (len(labels.taken) > before) == (spot is not None)
        boxes = labels.taken
    for i, a in enumerate(boxes):
        assert a[0] >= 0
        assert a[2] <= 300
        assert not any(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3] for b in boxes[:i])


def test_texts_and_ticks():
    assert tick_text(-0.5) == "\N{MINUS SIGN}0.5"
    assert tick_text(1000.0) == "1000"
    assert fit_text("short", 100, 12) == "short"
    cut = fit_text("a very long operator name", 80, 12)
    assert cut.endswith("…")
    assert text_width(cut, 12) <= 80 + 12
