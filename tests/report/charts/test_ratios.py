from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from speedwell.core import Interval
from speedwell.report.charts import Frame, RatioLine, ratios_chart


@pytest.mark.parametrize("frame", [Frame.WIDE, Frame.NARROW])
def test_each_interval_holds_its_estimate_and_one_is_marked(frame):
    lines = [RatioLine("control", Interval(1.0, 0.99, 1.01), True), RatioLine("int8 " * 20, Interval(3.4, 3.3, 3.5))]
    root = ET.fromstring(ratios_chart(lines, frame))
    one = float(next(e for e in root.iter("line") if e.attrib["class"] == "zero").attrib["x1"])
    spans = [e.attrib for e in root.iter("line") if "interval" in e.attrib["class"]]
    dots = [float(e.attrib["cx"]) for e in root.iter("circle")]
    assert all(float(s["x1"]) <= d <= float(s["x2"]) for s, d in zip(spans, dots, strict=True))
    assert float(spans[0]["x1"]) < one < float(spans[0]["x2"])
    assert float(spans[1]["x1"]) > one


def test_no_claim_is_no_chart():
    assert ratios_chart([], Frame.WIDE) is None
