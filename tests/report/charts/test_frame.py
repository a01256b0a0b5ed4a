from __future__ import annotations

from speedwell.report.charts import Frame


def test_a_phone_gets_a_drawing_of_its_own_with_readable_text():
    assert Frame.NARROW.narrow
    assert not Frame.WIDE.narrow
    assert Frame.NARROW.width <= 360 - 2 * 16
    assert min(Frame.NARROW.text, Frame.WIDE.text * 712 / Frame.WIDE.width) >= 9
