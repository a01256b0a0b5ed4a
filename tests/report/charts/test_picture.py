from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from speedwell.report import read_run
from speedwell.report.charts import Frame, picture_chart
from speedwell.report.rows import make_rows


@pytest.mark.parametrize("frame", [Frame.WIDE, Frame.NARROW])
@pytest.mark.parametrize("kind", ["certified", "agreement", "many"])
def test_every_measured_candidate_is_a_dot_inside_the_frame_and_the_promise_a_line(run_folder, kind, frame):
    run = read_run(run_folder(kind))
    rows = make_rows(run)
    root = ET.fromstring(picture_chart(rows, [c.key for c in run.result.front], run.promise, frame))
    dots = [e for e in root.iter() if "data-tip" in e.attrib]
    assert len(dots) == sum(r.measured and r.difference is not None for r in rows)
    assert sum("winner" in d.attrib["class"] for d in dots) == 1
    assert all(0 <= float(d.attrib["cx"]) <= frame.width for d in dots if "cx" in d.attrib)
    assert sum(e.attrib.get("class") == "promise" for e in root.iter()) == 1
    front = next(e for e in root.iter() if e.attrib.get("class") == "front-line")
    assert len(front.attrib["points"].split()) == 3


def test_faster_is_left_and_worse_is_lower(run_folder):
    rows = make_rows(read_run(run_folder("certified")))
    root = ET.fromstring(picture_chart(rows, [], None, Frame.WIDE))
    at = {
        d.find("title").text.split("\n")[0]: d.attrib
        for d in root.iter()
        if "cx" in d.attrib and "data-tip" in d.attrib
    }
    fast, slow = at["int8 dynamic, ONNX Runtime"], at["same, TorchInductor"]
    assert float(fast["cx"]) < float(slow["cx"])
    assert float(fast["cy"]) > float(slow["cy"])


def test_nothing_to_compare_is_no_picture(run_folder):
    rows = make_rows(read_run(run_folder("certified")))
    assert picture_chart(rows[:1], [], None, Frame.WIDE) is None
    assert picture_chart(rows[13:], [], None, Frame.WIDE) is None
