from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_world as w

from speedwell.core import decode
from speedwell.core.errors import EngineError
from speedwell.workflow.prepared import Prepared
from speedwell.workflow.session_service import SessionService, open_session


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
