from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from speedwell.report.changes import ClassChange
from speedwell.report.charts import Frame, answers_chart


@pytest.mark.parametrize("frame", [Frame.WIDE, Frame.NARROW])
def test_lost_goes_left_and_won_goes_right(frame):
    root = ET.fromstring(answers_chart([ClassChange("cat", 30, 2), ClassChange("dog", 0, 12)], frame))
    bars = [(e.attrib["class"], float(e.attrib["x"]), float(e.attrib["width"])) for e in root.iter("rect")]
    middle = frame.width / 2
    assert all((x < middle) == (kind == "bar before") for kind, x, _ in bars)
    assert bars[0][2] == pytest.approx(15 * bars[1][2], rel=0.01)
    assert len(bars) == 3


def test_no_change_is_no_chart():
    assert answers_chart([ClassChange("cat", 0, 0)], Frame.WIDE) is None
