from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedwell.core import OperatorTime
from speedwell.report.charts import Frame, operators_chart
from speedwell.report.charts.operators import largest_operators

times = st.builds(OperatorTime, st.text(max_size=30), st.floats(0, 1), st.integers(1, 99))


@given(st.lists(times, max_size=30))
def test_summing_the_rest_keeps_the_whole(found):
    kept = largest_operators(found)
    assert len(kept) <= 9
    assert sum(t.seconds for t in kept) == pytest.approx(sum(t.seconds for t in found))
    assert sum(t.count for t in kept) == sum(t.count for t in found)


@pytest.mark.parametrize("frame", [Frame.WIDE, Frame.NARROW])
def test_before_and_after_share_one_scale(frame):
    before, after = [OperatorTime("aten::addmm", 0.015, 74)], [OperatorTime("MatMulInteger", 0.003, 37)]
    root = ET.fromstring(operators_chart([("original", "before", before), ("winner", "after", after)], frame))
    widths = {e.attrib["class"]: float(e.attrib["width"]) for e in root.iter("rect")}
    assert widths["bar before"] == pytest.approx(5 * widths["bar after"], rel=0.01)


def test_no_profile_is_no_chart():
    assert operators_chart([("original", "before", []), ("winner", "after", [])], Frame.WIDE) is None
