from typing import Any

import numpy as np
import pytest
import small_world as w

from speedwell.core import Candidate, Evidence, Outcome, Promise, decode
from speedwell.workflow.searching import _channels, settled


def original(right: int, n: int) -> Outcome:
    scores = np.r_[np.ones(right), np.zeros(n - right)]
    return Outcome(
        Candidate((), "eager"), evidence=Evidence("binary", scores, scores.astype(int)), metric=float(scores.mean())
    )


def test_a_relative_margin_is_of_the_original_s_score() -> None:
    promise, sentence = settled(Promise("accuracy", 0.0, "1%rel"), original(900, 1000), 5000)
    assert promise.margin == pytest.approx(0.009)
    assert "5,000 confirmation samples" in sentence


def test_auto_is_what_the_data_can_show() -> None:
    few, _ = settled(Promise("accuracy", 0.0, "auto"), original(900, 1000), 500)
    many, _ = settled(Promise("accuracy", 0.0, "auto"), original(900, 1000), 50_000)
    assert 0 < many.margin < few.margin < 0.1


def test_every_finished_trial_is_measured_or_failed_and_the_first_is_the_original(folder_run: Any) -> None:
    trials = [decode(Outcome, t) for t in w.as_json(folder_run.run / "trials.json")["trials"]]
    assert trials[0].candidate == folder_run.result.original.candidate
    for trial in trials:
        assert (trial.failure is None) == bool(trial.timings)
        assert trial.seconds > 0
    assert any(t.candidate.steps for t in trials)


def test_what_was_not_tried_has_its_reason_in_the_result(folder_run: Any) -> None:
    tried = {
        w_.label for w_ in (decode(Outcome, t).candidate for t in w.as_json(folder_run.run / "trials.json")["trials"])
    }
    for label, reason in folder_run.result.environment["not tried"].items():
        assert label not in tried
        assert reason


def test_a_gray_network_with_colour_images_is_told_the_option() -> None:
    import torch

    with pytest.raises(RuntimeError) as error:
        torch.nn.Conv2d(1, 4, 3)(torch.zeros(1, 3, 8, 8))
    assert "--colour gray" in _channels(str(error.value))
    assert _channels("out of memory") == ""
