from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from speedwell.report.charts import Frame, waterfall_chart
from speedwell.report.stages import Stage


@pytest.mark.parametrize("frame", [Frame.WIDE, Frame.NARROW])
def test_what_is_left_and_what_was_saved_add_up_to_the_stage_before(frame):
    stages = [Stage("original", 0.0268), Stage("+ fused", 0.0201), Stage("+ slower", 0.0240), Stage("+ int8", 0.0079)]
    root = ET.fromstring(waterfall_chart(stages, frame))
    bars = [(e.attrib["class"].split()[1], float(e.attrib["width"])) for e in root.iter("rect")]
    assert [k for k, _ in bars] == ["base", "mid", "saved", "mid", "added", "last", "saved"]
    widths = [w for _, w in bars]
    assert widths[1] + widths[2] == pytest.approx(widths[0], abs=0.1)
    assert widths[3] == pytest.approx(widths[1] + widths[4], abs=0.1)
    assert widths[5] + widths[6] == pytest.approx(widths[3], abs=0.1)
    text = " ".join(e.text or "" for e in root.iter("text"))
    assert "\N{MINUS SIGN}16.1 ms" in text
    assert "+3.90 ms" in text


def test_untimed_stages_are_not_drawn():
    assert waterfall_chart([Stage("original", 0.02), Stage("+ x")], Frame.WIDE) is None
