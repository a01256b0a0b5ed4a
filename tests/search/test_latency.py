from __future__ import annotations

import pytest
from worlds import ONNX, WORKLOAD, outcome

from speedwell.core import Outcome, Timing
from speedwell.search import ratio, seconds_per_run


def test_the_ratio_is_paired_so_that_a_slow_moment_spoils_nothing() -> None:
    noisy = Timing(WORKLOAD, ((0.02, 0.2, 0.02), (0.02, 0.02, 0.02)), ((0.01, 0.1, 0.01), (0.01, 0.01, 0.5)))
    assert ratio(Outcome(ONNX.original, timings=(noisy,))) == pytest.approx(2.0)
    assert seconds_per_run(Outcome(ONNX.original, timings=(noisy,))) == pytest.approx(0.01)


def test_workloads_count_alike() -> None:
    def timing(speed: float) -> Timing:
        return Timing(WORKLOAD, ((speed,),), ((1.0,),))

    assert ratio(Outcome(ONNX.original, timings=(timing(4.0), timing(1.0)))) == pytest.approx(2.0)


def test_nothing_timed_is_none() -> None:
    assert ratio(Outcome(ONNX.original)) is None
    assert ratio(Outcome(ONNX.original, timings=(Timing(WORKLOAD, (), ()),))) is None
    assert seconds_per_run(Outcome(ONNX.original)) is None
    assert ratio(outcome(ONNX.original, 1.5)) == pytest.approx(1.5)
