from __future__ import annotations

import dataclasses

import pytest

from speedwell.core import AccuracyClaim, AccuracyVerdict, Promise, loads
from speedwell.core.result import Result
from speedwell.report import accuracy_words, promise_words, speed_words, verdict_kind, verdict_sentence
from speedwell.report.sentence import bound_words, metric_of


def of(run_folder, kind: str) -> Result:
    return loads(Result, (run_folder(kind) / "result.json").read_text())


@pytest.mark.parametrize(
    ("kind", "verdict", "words"),
    [
        ("certified", "certified", ["3.39 times as fast as the original [3.34, 3.44]", "95.2 % against 95.3 %",
                                    "at worst 0.57 points lower (95 % sure)", "Promise kept"]),
        ("kept", "keep", ["Keep the original: no candidate was faster with its promise kept",
                          "Nearest: int8 dynamic, ONNX Runtime, at worst 1.93 points lower"]),
        ("nothing_faster", "keep", ["Keep the original", "same, TorchInductor, 0.93x the speed of the original"]),
        ("undecided", "undecided", ["500 samples cannot show 1 point", "about 2,000 would at the 3.0 %"]),
        ("agreement", "certified", ["at most 1.17 % of answers differ from the original's", "Promise kept"]),
    ],
)  # fmt: skip
def test_each_end_of_a_run_has_its_sentence(run_folder, kind, verdict, words):
    result = of(run_folder, kind)
    sentence = verdict_sentence(result)
    assert verdict_kind(result) == verdict
    assert all(w in sentence for w in words), sentence
    assert "never" not in sentence


def test_a_best_without_a_certificate_is_called_unconfirmed(result):
    open_run = dataclasses.replace(result, confirmations=())
    assert verdict_kind(open_run) == "unconfirmed"
    assert verdict_sentence(open_run).startswith("Not confirmed: the best so far is int8 dynamic")
    refused = dataclasses.replace(result.confirmations[0], certified=False, reason="too noisy")
    assert "(too noisy)" in verdict_sentence(dataclasses.replace(result, confirmations=(refused,)))


def test_nothing_tried_at_all_still_says_keep_the_original(result):
    empty = dataclasses.replace(result, best=None, confirmations=(), refused=(), environment={})
    assert verdict_sentence(empty) == "Keep the original: no candidate was measured."
    late = dataclasses.replace(empty, environment={"not tried": {"fuse on openvino": "not tried: 0 s are left"}})
    assert "in the time there was. Ask for a longer --budget." in verdict_sentence(late)


def test_the_need_without_a_changed_answer_is_told_apart(result):
    claim = AccuracyClaim(AccuracyVerdict.UNDECIDED, 0.9, 0.9, -0.02, 0.01, 200, "Tango score", need=299)
    lost = dataclasses.replace(result.confirmations[0], accuracy=claim, certified=False)
    sentence = verdict_sentence(dataclasses.replace(result, best=None, confirmations=(lost,)))
    assert "about 299 would if no answer changed" in sentence


def test_promises_in_words():
    assert promise_words(Promise("accuracy", 0.01, "1%"), 0.953) == (
        "at most 1 point below the original (at least 94.3 %), 95 % sure")  # fmt: skip
    assert "at least 98 % of inputs" in promise_words(Promise("agreement", 0.02, "agree 98%"))
    assert "no data" in promise_words(Promise("equal", 0, "equal"))


def test_a_bound_above_zero_says_at_least_how_much_higher():
    claim = AccuracyClaim(AccuracyVerdict.BETTER, 0.9, 0.92, 0.00319, 0.01, 1000, "Tango score")
    assert bound_words(claim) == "at least 0.31 points higher (95 % sure)"


def test_claims_in_words(result):
    won = result.confirmations[0]
    assert accuracy_words(won.accuracy, result.promise).startswith("on 4,500 samples never looked at before")
    assert "generated inputs" in accuracy_words(won.accuracy, Promise("equal", 0, "equal"))
    assert (
        speed_words(won.speed[1]) == "2.58x the speed of the fastest float32 engine (fused, ONNX Runtime) [2.55, 2.61]"
    )


def test_average_precision_is_called_by_its_name():
    claim = AccuracyClaim(
        AccuracyVerdict.KEPT, 0.614, 0.612, -0.0041, 0.01, 490, "paired bootstrap over images of AP50, 2,000 resamples"
    )
    assert metric_of(claim) == "AP50"
    words = accuracy_words(claim, Promise("accuracy", 0.01, "1pt"))
    assert words == (
        "on 490 images never looked at before: 61.2 % AP50 against 61.4 %; at worst 0.41 points lower (95 % sure)"
    )
    assert metric_of(AccuracyClaim(AccuracyVerdict.KEPT, 1, 1, 0, 0.01, 9, "paired bootstrap, 2,000 resamples")) == ""
