from pathlib import Path
from typing import Any

import pytest
import small_world as w

from speedwell.core import Candidate, FailureKind, Hardware, Step, decode
from speedwell.core.errors import EngineError, EngineUnavailableError, JobError, PassError, SpeedwellError
from speedwell.workflow.prepared import Prepared
from speedwell.workflow.trial import Bench, _failure
from speedwell.workflow.workers import Workers


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (JobError("it hung", "", "timeout"), FailureKind.TIMEOUT),
        (EngineUnavailableError("no compiler"), FailureKind.UNAVAILABLE),
        (EngineError("no such operator"), FailureKind.UNSUPPORTED),
        (PassError("does not apply"), FailureKind.UNSUPPORTED),
        (SpeedwellError("else"), FailureKind.ERROR),
    ],
)
def test_each_error_is_a_failure_of_its_kind(error: SpeedwellError, kind: FailureKind) -> None:
    failure = _failure(error, "compile")
    assert failure.kind is kind
    assert failure.stage == "compile"
    assert failure.message == error.what


@pytest.fixture
def bench(folder_run: Any, tmp_path: Path) -> Any:
    prepared = decode(Prepared, w.as_json(folder_run.run / "run.json")["prepared"])
    bench = Bench(prepared, Workers(tmp_path / "work", Hardware.here(), 1), tmp_path / "artifacts", 60.0)
    yield bench
    bench.close()


def test_a_candidate_is_measured_beside_the_original(bench: Bench) -> None:
    original = bench.measure(bench.prepared.candidate, True, None, lambda _: True)
    assert original.failure is None
    assert original.evidence is not None
    asked = []

    def wins(partial: Any) -> bool:
        asked.append(partial)
        return False

    fused = bench.measure(Candidate((Step("fuse"),), "onnxruntime"), True, original, wins)
    assert fused.failure is None
    assert fused.artifact != original.artifact
    assert fused.evidence is not None
    n = len(fused.evidence)
    assert (fused.evidence.answers == original.evidence.answers[:n]).all()
    assert not asked, "what changes no answer is not looked at further"


def test_an_engine_that_is_not_there_is_a_row(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CXX", raising=False)
    outcome = bench.measure(Candidate((), "inductor"), True, None, lambda _: True)
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.UNAVAILABLE
    assert "compiler" in outcome.failure.message


def test_a_product_is_built_once_in_a_run(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    first = bench.build(Candidate((Step("fuse"),), "onnxruntime"))
    monkeypatch.setattr(bench.workers, "job", lambda *_, **__: pytest.fail("no worker is needed"))
    again = bench.build(Candidate((Step("fuse"),), "openvino"))
    assert again.model == first.model
    assert again.seconds == 0.0
