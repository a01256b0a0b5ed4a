from __future__ import annotations

import pytest
from worlds import ESTIMATES, ONNX, judgements_of, lossless_start, next_of, outcome, static

from speedwell.core import Failure, FailureKind, Outcome
from speedwell.search import plan


def all_static_lost(engine_speed: dict[str, float]) -> list[Outcome]:
    made = lossless_start()
    for engine, speed in engine_speed.items():
        for method, metric in (("minmax", 0.80), ("percentile", 0.85), ("mse", 0.84)):
            made.append(outcome(static(method, engine), speed, metric, number=len(made)))
    return made


def test_repair_doubles_until_the_promise_holds_then_halves_the_gap() -> None:
    outcomes = all_static_lost({"openvino": 2.0, "onnxruntime": 1.0})
    needed, tried = 11, []
    while (p := next_of(ONNX, outcomes)) is not None and p.rung == "repair":
        keep = p.candidate.steps[1].params["keep_float"]
        assert p.candidate == static("percentile", "openvino", keep), "the most accurate one is repaired"
        tried.append(keep)
        outcomes.append(
            outcome(p.candidate, 2.0 - 0.04 * keep, 0.899 if keep >= needed else 0.86, number=len(outcomes))
        )
    assert tried == [1, 2, 4, 8, 16, 12, 10, 11]


def test_repair_stops_where_nothing_faster_can_come_out() -> None:
    outcomes = all_static_lost({"openvino": 2.0, "onnxruntime": 1.0})
    outcomes.append(outcome(static("percentile", "openvino", 1), 1.05, 0.86, number=len(outcomes)))
    expected = plan(ONNX, outcomes, judgements_of(ONNX, outcomes), 600.0, ESTIMATES)
    assert expected.next is None or expected.next.rung != "repair"
    assert any("no longer faster" in r.reason for r in expected.skipped)


@pytest.mark.parametrize(
    ("last", "words"),
    [
        ({"failure": Failure(FailureKind.CRASH, "time", "x")}, "and failed with 2"),
        ({"metric": 0.86, "artifact": "same"}, "changes nothing"),
    ],
)
def test_repair_stops_at_a_failure_and_where_nothing_changes(last: dict[str, object], words: str) -> None:
    outcomes = all_static_lost({"openvino": 2.0, "onnxruntime": 1.0})
    outcomes.append(outcome(static("percentile", "openvino", 1), 1.9, 0.86, number=98, artifact="same"))
    outcomes.append(outcome(static("percentile", "openvino", 2), 1.9, number=99, **last))  # type: ignore[arg-type]
    skipped = plan(ONNX, outcomes, judgements_of(ONNX, outcomes), 600.0, ESTIMATES).skipped
    assert any(words in r.reason for r in skipped)


def test_a_repair_that_holds_on_one_engine_is_the_first_on_the_other() -> None:
    outcomes = all_static_lost({"openvino": 2.0, "onnxruntime": 2.6})
    outcomes.append(outcome(static("percentile", "openvino", 1), 1.9, 0.86, number=97))
    outcomes.append(outcome(static("percentile", "openvino", 2), 1.9, 0.86, number=98))
    outcomes.append(outcome(static("percentile", "openvino", 4), 1.9, 0.899, number=99))
    proposals = plan(ONNX, outcomes, judgements_of(ONNX, outcomes), 600.0, ESTIMATES)
    assert proposals.next is not None
    assert proposals.next.candidate == static("percentile", "onnxruntime", 4)


def test_a_value_that_cannot_be_built_bounds_the_search() -> None:
    """The network has 12 layers; at least 9 of them must stay float."""
    outcomes = all_static_lost({"openvino": 2.0, "onnxruntime": 1.0})
    tried = []
    while (p := next_of(ONNX, outcomes)) is not None and p.rung == "repair":
        keep = p.candidate.steps[1].params["keep_float"]
        tried.append(keep)
        if keep >= 12:
            failure = Failure(FailureKind.UNSUPPORTED, "build", "12 operators can be quantized")
            outcomes.append(outcome(p.candidate, failure=failure, number=len(outcomes)))
        else:
            metric = 0.899 if keep >= 9 else 0.86
            outcomes.append(outcome(p.candidate, 2.0 - 0.04 * keep, metric, number=len(outcomes)))
    assert tried == [1, 2, 4, 8, 16, 12, 10, 9]
