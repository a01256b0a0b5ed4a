from __future__ import annotations

import pytest
from worlds import ONNX, TORCH

from speedwell.core import Candidate, Step
from speedwell.search import Estimates
from speedwell.search.knowledge import Knowledge

INT8 = Candidate((Step("fuse"), Step("quantize_static", {"method": "minmax"})), "openvino")


def test_before_anything_is_measured_the_priors_speak() -> None:
    estimates = Estimates(
        trial_seconds=5,
        step_seconds={"fuse": 1, "quantize_static": 20},
        engine_seconds={"openvino": 3},
        engine_ratio={"openvino": 1.5},
        trait_ratio={"static-int8": 2.0},
        trait_holds={"static-int8": 0.7},
    )
    known = Knowledge(ONNX, estimates, (), {})
    assert known.cost(INT8) == pytest.approx(5 + 1 + 20 + 3)
    assert known.ratio(INT8) == pytest.approx(3.0)
    assert known.holds(INT8) == pytest.approx(0.7)


def test_names_without_a_prior_get_the_common_one() -> None:
    known = Knowledge(ONNX, Estimates(trial_seconds=5, engine_ratio={}, trait_ratio={}, trait_holds={}), (), {})
    assert known.ratio(INT8) == pytest.approx(1.2)
    assert known.holds(INT8) == pytest.approx(0.5)
    assert known.cost(INT8) == pytest.approx(5 + 2 * 3 + 2)


def test_compiling_with_inductor_is_expected_to_take_long() -> None:
    known = Knowledge(TORCH, Estimates(), (), {})
    costs = {c.label: known.cost(c) for c in TORCH.candidates if TORCH.lossless(c)}
    assert max(costs, key=lambda label: costs[label]) == "inductor"
