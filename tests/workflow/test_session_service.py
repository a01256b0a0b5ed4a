from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_world as w

from speedwell.core import Hardware, decode
from speedwell.core.errors import EngineError
from speedwell.engines import Native, OnnxRuntime
from speedwell.native import find_plan
from speedwell.testing.engine_models import NETWORKS
from speedwell.testing.engines import workload
from speedwell.workflow.prepared import Prepared
from speedwell.workflow.session_service import SessionService, kept, open_session


@pytest.fixture
def prepared(folder_run: Any) -> Prepared:
    return decode(Prepared, w.as_json(folder_run.run / "run.json")["prepared"])


@pytest.fixture
def service(prepared: Prepared, tmp_path: Path) -> Any:
    service = open_session(
        prepared.model, "onnxruntime", prepared.workloads[0], prepared.feeds, tmp_path / "s", prepared.data.task
    )
    yield service
    service.close()


def test_times_are_seconds_of_each_call(service: SessionService) -> None:
    times = service.time(5)
    assert len(times) == 5
    assert all(0 < t < 1 for t in times)


def test_answers_do_not_depend_on_the_batch(service: SessionService, prepared: Prepared) -> None:
    split = prepared.folder / "selection"
    one = service.evaluate(split, 0, 50, 1)
    seven = service.evaluate(split, 0, 50, 7)
    np.testing.assert_array_equal(one.arrays["answers"], seven.arrays["answers"])
    assert seven.value["n"] == 50
    assert one.arrays["scores"].mean() > 0.8


def test_a_part_beyond_the_end_is_empty(service: SessionService, prepared: Prepared) -> None:
    reply = service.evaluate(prepared.folder / "selection", 10**6, 10**6 + 5, 1)
    assert len(reply.arrays["scores"]) == 0


def test_an_engine_that_does_not_read_the_form_says_so(prepared: Prepared, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="eager"):
        open_session(prepared.model, "eager", prepared.workloads[0], prepared.feeds, tmp_path / "s")


def test_facts_say_what_really_runs(service: SessionService) -> None:
    assert service.facts()["provider"] == "CPUExecutionProvider"
    rows = service.profile(2)
    assert rows
    assert rows[0]["seconds"] >= rows[-1]["seconds"]


def test_an_engine_that_can_keep_what_it_makes_does_so_beside_the_payload(tmp_path: Path) -> None:
    """Every round of the search and of the confirmation opens the same product in a fresh process."""
    if not Native().availability(Hardware.here()).ok:
        return
    texts = NETWORKS[1]
    model, scratch = texts.make("onnx", tmp_path), tmp_path / "scratch"
    np.savez(tmp_path / "feed.npz", **texts.inputs(1, 5, 0))
    service = open_session(model, "native", workload(texts), (tmp_path / "feed.npz",), scratch / "session-1")
    assert set(service.outputs().arrays) == set(model.signature.output_names)
    service.close()
    assert find_plan(model.payload) is not None
    assert not list((scratch / "session-1").iterdir())


def test_an_engine_that_keeps_nothing_is_itself() -> None:
    engine = OnnxRuntime()
    assert kept(engine) is engine
