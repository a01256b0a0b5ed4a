from typing import Any

import small_world as w

from speedwell.core import Candidate, decode, encode
from speedwell.workflow.prepared import DataFacts, Prepared


def test_it_comes_back_from_the_run_s_file(live_run: Any) -> None:
    saved = w.as_json(live_run.run / "run.json")["prepared"]
    prepared = decode(Prepared, saved)
    assert encode(prepared) == saved
    assert prepared.candidate == Candidate((), "eager")
    assert prepared.feeds[0].is_file()
    assert prepared.original_score is not None
    assert prepared.preflight


def test_no_data_means_lossless_only() -> None:
    assert DataFacts("", "generated").none
    assert not DataFacts("", "image", counts={"selection": 1}).none
