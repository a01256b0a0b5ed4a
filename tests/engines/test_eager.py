from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from speedwell.core.errors import EngineError
from speedwell.engines import Eager, torch_session
from speedwell.testing.engine_models import NETWORKS
from speedwell.testing.engines import EngineConformance, workload


class TestConformance(EngineConformance):
    engine = Eager()


def test_bf16_takes_and_gives_float32_and_stays_near(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # bfloat16 is right on every CPU, only slow where the hardware lacks it; so the refusal is lifted here.
    monkeypatch.setattr(torch_session, "no_bf16", lambda hardware: "")  # noqa: ARG005
    for network in NETWORKS:
        model = network.make("torch", tmp_path)
        plain = Eager().compile(model, workload(network), tmp_path)
        half = Eager().compile(model.with_traits("bf16"), workload(network), tmp_path)
        assert half.facts()["precision"] == "bf16"
        inputs = network.inputs(3, 7, 0)
        got, want = half.run(inputs), plain.run(inputs)
        assert got["logits"].dtype == np.float32
        apart = np.abs(got["logits"] - want["logits"]).max()
        assert 0 < apart < 0.05


def test_a_network_that_fails_is_an_engine_error_with_torch_s_words(tmp_path: Path) -> None:
    network = NETWORKS[1]
    session = Eager().compile(network.make("torch", tmp_path), workload(network), tmp_path)
    inputs = network.inputs(1, 5, 0)
    with pytest.raises(EngineError, match="index out of range"):
        session.run(inputs | {"input_ids": inputs["input_ids"] + 1000})
