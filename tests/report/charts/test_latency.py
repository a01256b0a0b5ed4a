from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from speedwell.report.charts import Frame, latency_chart


@pytest.mark.parametrize("frame", [Frame.WIDE, Frame.NARROW])
def test_every_call_is_drawn_and_no_outlier_is_left_out(frame):
    base = [[0.027 + i * 1e-5 for i in range(50)] for _ in range(12)]
    mine = [[0.008] * 49 + [0.4]] * 12
    root = ET.fromstring(latency_chart([("original", "base", base), ("int8", "winner", mine)], frame))
    paths = [e.attrib["d"].count("M") for e in root.iter("path")]
    assert paths == [600, 600]
    assert "slowest 400 ms" in next(root.iter("desc")).text


def test_no_call_is_no_chart():
    assert latency_chart([("original", "base", [[]])], Frame.WIDE) is None
