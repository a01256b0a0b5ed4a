from dataclasses import replace
from typing import Any

import pytest
import small_world as w

from speedwell.core import Hardware, Promise, decode
from speedwell.workflow.header import header_of
from speedwell.workflow.prepared import DataFacts, Prepared


@pytest.fixture
def prepared(live_run: Any) -> Prepared:
    return decode(Prepared, w.as_json(live_run.run / "run.json")["prepared"])


def test_it_says_machine_model_data_and_promise(prepared: Prepared) -> None:
    facts = header_of(prepared, replace(Hardware.here(), gpus=("A GPU",)), ("eager", "openvino"))
    assert list(facts) == ["Machine", "Model", "Data", "Promise"]
    assert "engines: eager, openvino" in facts["Machine"]
    assert "A GPU: seen, not used in this release" in facts["Machine"]
    assert "PyTorch" in facts["Model"]
    assert " 0.0 MB" not in facts["Model"], "a small model is not nothing"
    assert "(sealed)" in facts["Data"]
    assert "at most 1 point below" in facts["Promise"][0]


def test_without_data_it_says_what_competes(prepared: Prepared) -> None:
    bare = replace(prepared, data=DataFacts("", "generated"), promise=Promise("equal", 0.0, "outputs equal"))
    assert "change no answer" in str(header_of(bare, Hardware.here(), ())["Data"])


def test_a_promise_that_is_not_a_number_yet_says_when_it_will_be(prepared: Prepared) -> None:
    relative = replace(prepared, promise=Promise("accuracy", 0.0, "1%rel"))
    assert "once the original" in str(header_of(relative, Hardware.here(), ())["Promise"])
