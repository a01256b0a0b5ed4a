from __future__ import annotations

from worlds import ENGINES, FLOAT, PASSES, TORCH

from speedwell.search import EngineOffer, Estimates, Space, describe


def test_a_dry_run_lists_each_trial_once_in_order_with_what_fits() -> None:
    rows = describe(TORCH, Estimates(trial_seconds=10), 100.0)
    assert [r.what for r in rows[:2]] == ["eager", "to_onnx > fuse on onnxruntime"]
    assert rows[0].rung == "original"
    assert len({r.what for r in rows}) == len(rows)
    fits = [r.fits for r in rows]
    assert fits[0]
    assert not fits[-1]
    assert fits == sorted(fits, reverse=True)
    assert all(r.cost_seconds >= 10 and r.expected_ratio > 0 and r.why for r in rows)


def test_an_engine_that_cannot_run_is_named_with_its_reason() -> None:
    engines = (*ENGINES[:3], EngineOffer("openvino", ENGINES[3].reads, 'pip install "speedwell[openvino]"'))
    rows = describe(Space("torch", FLOAT, "eager", PASSES, engines), Estimates(), 600.0)
    assert (rows[-1].rung, rows[-1].what, rows[-1].why) == ("not here", "openvino", 'pip install "speedwell[openvino]"')
    assert not any("openvino" in r.what for r in rows[:-1])
