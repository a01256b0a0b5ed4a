from __future__ import annotations

from dataclasses import replace

import pytest
from worlds import ONNX, PROMISE, compare, outcome

from speedwell.core import Candidate, Outcome, Step
from speedwell.search import Estimates, judge_all
from speedwell.search.knowledge import Knowledge

FUSE = Step("fuse")


def static(method: str, engine: str) -> Candidate:
    return Candidate((FUSE, Step("quantize_static", {"method": method})), engine)


def knowing(*outcomes: Outcome) -> Knowledge:
    original = outcome(ONNX.original, lossless=True)
    everything = [original, *outcomes]
    return Knowledge(ONNX, Estimates(trial_seconds=7), everything, judge_all(everything, original, PROMISE, compare))


def test_costs_come_from_the_trials_measured() -> None:
    known = knowing(replace(outcome(static("minmax", "openvino"), 2.0), seconds=50.0, build_seconds=40.0))
    assert known.cost(static("mse", "openvino")) == pytest.approx(40 + 9)
    assert known.cost(Candidate((FUSE,), "onnxruntime")) == pytest.approx(9 + 3 + 2)


def test_speed_is_carried_over_from_the_same_passes_then_from_other_engines() -> None:
    known = knowing(
        outcome(Candidate((FUSE,), "openvino"), 1.2, lossless=True),
        outcome(Candidate((FUSE,), "onnxruntime"), 1.5, lossless=True),
        outcome(static("minmax", "openvino"), 2.4, 0.8),
    )
    assert known.ratio(static("mse", "openvino")) == pytest.approx(2.4)
    assert known.ratio(static("mse", "onnxruntime")) == pytest.approx(3.0)
    assert known.bar == pytest.approx(1.5), "what lost accuracy sets no bar"


def test_a_setting_that_lost_on_one_engine_is_unlikely_on_the_other() -> None:
    known = knowing(
        outcome(static("minmax", "openvino"), 2.0, 0.8),
        outcome(static("mse", "openvino"), 2.0, 0.899),
    )
    assert known.holds(static("mse", "onnxruntime")) > 0.9
    assert known.holds(static("minmax", "onnxruntime")) < 0.2
    assert known.holds(static("percentile", "onnxruntime")) < knowing().holds(static("percentile", "onnxruntime"))
    assert known.holds(Candidate((FUSE,), "openvino")) == 1.0


def test_an_unknown_pass_or_engine_has_a_prior_too() -> None:
    estimates = Estimates()
    assert estimates.engine_ratio.get("warp", 1.0) == 1.0
    assert estimates.other_holds == 0.5
