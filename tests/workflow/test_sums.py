"""On a CPU without a dot product the search tries what lengthens 16-bit sums: rows like any other, judged alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import small_world as w

import speedwell
from speedwell.core import Hardware, Outcome, decode
from speedwell.native import available

pytestmark = pytest.mark.skipif(not available()[0], reason="the native engine is not built")
CHOICES = ({"activation_bits": 7}, {"run": 8})


def accelerated(world: Path, folder: Path, flags: tuple[str, ...]) -> Any:
    told = replace(Hardware.here(), architecture="x86_64", flags=flags)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Hardware, "here", staticmethod(lambda: told))
        return speedwell.accelerate(
            world / "intent.onnx", data=world / "texts.csv", tokenizer=str(world / "tokenizer.json"),
            run=folder / "run", engines=("onnxruntime", "native"),
            passes=("quantize_static", "quantize_dynamic"), **w.QUICK,
        )  # fmt: skip


@pytest.fixture(scope="module")
def old(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return accelerated(world, tmp_path_factory.mktemp("old"), ("avx2", "fma"))


def trials(done: Any) -> list[Outcome]:
    return [decode(Outcome, t) for t in w.as_json(done.run / "trials.json")["trials"]]


def sums(outcome: Outcome) -> dict[str, int]:
    """The settings of this kind that a trial's candidate has."""
    return {k: v for step in outcome.candidate.steps for k, v in step.params.items() if k in ("activation_bits", "run")}


def test_each_choice_is_built_evaluated_and_timed_on_the_native_engine_alone(old: Any) -> None:
    for name in ("quantize_static", "quantize_dynamic"):
        for choice in CHOICES:
            (outcome,) = (t for t in trials(old) if sums(t) == choice and t.candidate.steps[-1].name == name)
            assert outcome.candidate.engine == "native"
            assert outcome.failure is None, outcome.failure
            assert len(outcome.timings) == 2  # at both lengths, like the original
            assert outcome.metric == pytest.approx(old.result.original.metric, abs=0.03)


def test_a_machine_with_a_dot_product_has_no_such_candidate(world: Path, tmp_path: Path) -> None:
    done = accelerated(world, tmp_path, ("avx2", "fma", "avx_vnni"))
    assert len([t for t in trials(done) if t.candidate.engine == "native" and t.candidate.steps]) >= 2
    assert not any(sums(t) for t in trials(done))
    assert not any("activation_bits" in label or "run=" in label for label in done.result.environment["not tried"])
