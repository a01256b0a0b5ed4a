from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_world as w

import speedwell
from speedwell.core.errors import OutputError


def test_best_answers_like_the_original(live_run: Any) -> None:
    pixels, labels = w.digits()
    fast = live_run.best
    assert fast is live_run.best, "opened once"
    answers = fast([p[None].astype(np.float32) / 255 for p in pixels[:40]])
    right = np.mean([a.index == t for a, t in zip(answers, labels[:40], strict=True)])
    assert right > 0.8
    one = fast(pixels[0][None].astype(np.float32) / 255)
    assert one.index == answers[0].index
    assert one.scores.shape == (10,)


def test_saving_makes_another_bundle_that_opens(live_run: Any, tmp_path: Path) -> None:
    saved = live_run.save(tmp_path / "copy")
    assert speedwell.verify(saved).confirmed
    with pytest.raises(OutputError, match="exists"):
        live_run.save(saved)


def test_the_report_is_one_file_that_loads_nothing(live_run: Any, tmp_path: Path) -> None:
    html = live_run.report().read_text()
    assert "<html" in html
    assert "Promise kept" in html
    assert "https://" not in html.replace("https://github.com", "") or 'src="http' not in html
    again = live_run.report(tmp_path / "again.html")
    assert again == tmp_path / "again.html"
    assert again.is_file()


def test_keeping_the_original_has_no_bundle(text_run: Any, tmp_path: Path) -> None:
    if text_run.bundle is None:
        assert text_run.best is None
        assert text_run.sentence.startswith("Keep the original")
        with pytest.raises(OutputError, match="no bundle to save"):
            text_run.save(tmp_path / "b")
    else:  # a fused graph that is certified faster on this machine is an answer too
        assert text_run.best is not None


def test_it_shows_itself_in_a_notebook(live_run: Any) -> None:
    html = live_run._repr_html_()
    assert live_run.sentence.split(":")[0].replace("&", "&amp;") in html
    assert html.count("<tr>") >= 2
    assert live_run.sentence in repr(live_run)
    assert live_run.front
