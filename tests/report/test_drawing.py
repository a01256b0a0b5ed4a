from __future__ import annotations

import io
import re

import pytest
from PIL import Image

from speedwell.report import ShownBox, ShownSample
from speedwell.report.drawing import TAG, WIDTH, draw_panel


def png(width: int = 40, height: int = 20) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (width, height)).save(data, "PNG")
    return data.getvalue()


def sample(*boxes: ShownBox, size: tuple[int, int] = (20, 40)) -> ShownSample:
    return ShownSample("a", "b", "c", "0.png", png(size[1], size[0]), boxes, size)


def test_boxes_lie_where_they_were_found_at_the_panels_scale():
    drawn = draw_panel(sample(ShownBox("original", (10, 5, 20, 15), "cat", 0.9)), "original", 1)
    assert 'viewBox="0 0 400 200"' in drawn
    assert 'x="100" y="50" width="100" height="100" class="found original"' in drawn
    assert "alone" not in drawn


def test_each_panel_has_its_own_models_boxes_and_the_truth():
    both = sample(
        ShownBox("original", (1, 1, 9, 9), "cat", 0.9), ShownBox("winner", (2, 2, 9, 9), "cat", 0.8, True),
        ShownBox("truth", (0, 0, 9, 9), "cat"),
    )  # fmt: skip
    original, winner = (draw_panel(both, who, 3) for who in ("original", "winner"))
    assert original.count('class="found original"') == 1
    assert "found winner" not in original
    assert original.count('class="truth"') == winner.count('class="truth"') == 1
    assert 'class="found winner alone"' in winner
    assert 'id="scene-3-winner-t"' in winner
    assert original.count("data:image/png;base64,") == 1


def test_what_the_other_lacks_is_named_in_the_picture_and_all_of_it_for_a_screen_reader():
    boxes = [ShownBox("winner", (4, 8, 20, 16), "<cat>", 0.87, True), ShownBox("winner", (0, 0, 5, 5), "dog", 0.5)]
    drawn = draw_panel(sample(*boxes), "winner", 1)
    assert ">&lt;cat&gt; 0.87</text>" in drawn
    assert ">dog 0.50</text>" not in drawn
    assert "&lt;cat&gt; 0.87, the other model has none such; dog 0.50</desc>" in drawn
    assert "<cat>" not in drawn


@pytest.mark.parametrize("count", [1, 3, 8])
def test_tags_stay_inside_and_never_cover_each_other(count):
    boxes = [ShownBox("original", (30 + i / 4, i / 4, 40, 12), "a rather long class name", 0.9, True)
             for i in range(count)]  # fmt: skip
    drawn = draw_panel(sample(*boxes), "original", 1)
    plates = [
        tuple(map(float, found))
        for found in re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="[\d.]+" class="plate', drawn)
    ]
    assert plates
    for x, y, width in plates:
        assert 0 <= x <= WIDTH - width
        assert 0 <= y <= 200 - TAG + 0.01
    for i, (x, y, width) in enumerate(plates):
        for x2, y2, _ in plates[i + 1 :]:
            assert abs(y - y2) >= TAG - 0.01 or x2 >= x + width or x >= x2 + width


def test_a_picture_with_nothing_found_says_so():
    assert "nothing</desc>" in draw_panel(sample(ShownBox("truth", (0, 0, 4, 4), "cat")), "winner", 1)
