from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image

from speedwell.report.charts.frame import Frame
from speedwell.report.charts.learning import learning
from speedwell.report.samples import ShownBox, ShownSample
from speedwell.report.training_page import Answered, write_training_page

HISTORY = [
    *({"step": k, "epoch": k / 10, "loss": 2 / (1 + k)} for k in range(1, 21)),
    *({"step": k, "epoch": k / 10, "metric": 0.5 + k / 60} for k in (10, 20)),
]
RESULT = {
    "network": "residual", "task": "image-classification", "metric": "accuracy", "validation": 0.8, "test": 0.75,
    "test_low": 0.7, "test_high": 0.8, "counts": {"train": 900, "validation": 100, "test": 400}, "parameters": 78042,
    "epochs": 2.0, "steps": 20, "seconds": 75.0, "samples_per_second": 240.0, "forward_ms": 10.0, "backward_ms": 20.0,
    "update_ms": 1.5, "forward_operations": 25e6, "backward_operations": 49e6, "skipped": [],
}  # fmt: skip


def png() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def page(tmp_path, answers, **changes) -> str:
    out = write_training_page(tmp_path / "r.html", {**RESULT, **changes}, HISTORY, answers, 'network = "<b>"', "test")
    return out.read_text()


def test_it_says_what_was_learnt_and_shows_right_and_wrong(tmp_path):
    answers = [
        Answered(ShownSample("", "dog, 99 %", "cat", "", png()), False),
        Answered(ShownSample("", "kind, 80 %", "kind", "a <script>alert(1)</script> text"), True),
    ]
    text = page(tmp_path, answers)
    assert "accuracy 75.0\u00a0% on 400 samples that it never saw" in text
    assert "95\u00a0% sure: 70.0 to 80.0" in text
    assert "dog, 99" in text
    assert "<script" not in text
    assert "network = &#34;&lt;b&gt;&#34;" in text
    assert not re.search(r'(src|href)="(?!data:|#)', text)  # nothing is fetched


def test_boxes_are_drawn_over_their_picture(tmp_path):
    boxes = (
        ShownBox("truth", (1, 2, 9, 9), "cell"),
        ShownBox("winner", (1, 2, 9, 9), "cell", 0.9),
        ShownBox("winner", (12, 2, 19, 9), "cell", 0.4, True),
    )
    sample = ShownSample(
        "", "1 of 1 objects found, 1 boxes without an object", "1 labelled", "a.jpg", png(), boxes, (20, 30)
    )
    text = page(tmp_path, [Answered(sample, False)])
    assert text.count('class="found winner') >= 1
    assert "most objects missed" in text
    assert "cell 0.40" in text


@pytest.mark.parametrize(("test", "validation", "words"), [
    (None, 0.8, "that stopping was decided by"), (None, None, "nothing was there to judge it by"),
])  # fmt: skip
def test_without_a_test_set_it_says_so(tmp_path, test, validation, words):
    assert words in page(tmp_path, [], test=test, validation=validation)


def test_the_curve_has_an_axis_of_epochs_and_a_panel_each():
    drawn = str(learning(HISTORY, "AP50", Frame.NARROW))
    assert drawn.count("<polyline") == 2
    assert "AP50, %" in drawn
    assert "epochs" in drawn
    assert not learning(HISTORY[:1], "AP50")
    assert str(learning(HISTORY[:5], "AP50")).count("<polyline") == 1
