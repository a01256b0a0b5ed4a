from __future__ import annotations

import io
import json

from speedwell.core import Interval
from speedwell.core.errors import UsageError
from speedwell.report import JsonProgress, TrialRow, result_facts


def test_each_event_is_one_flushed_json_line_with_its_time(result):
    stream, now = io.StringIO(), [5.0]
    progress = JsonProgress(stream, clock=lambda: now[0])
    progress.header({"Machine": ("a", "b"), "Model": "m"})
    now[0] = 7.5
    progress.finished(TrialRow(3, "int8\nx", 0.95, -0.001, 0.0079, Interval(3.4, 3.3, 3.5), best=True))
    progress.done(result, {"bundle": "bundle/"})
    progress.failed(UsageError("what", "fix"))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["header", "finished", "done", "failed"]
    assert [line["at"] for line in lines] == [0, 2.5, 2.5, 2.5]
    assert lines[0]["facts"] == {"Machine": ["a", "b"], "Model": "m"}
    assert lines[1]["ratio"]["low"] == 3.3
    assert lines[2]["result"]["verdict"] == "certified"
    assert lines[3] == {
        "event": "failed",
        "at": 2.5,
        "error": "UsageError",
        "what": "what",
        "fix": "fix",
        "exit_code": 2,
    }


def test_the_result_goes_without_per_sample_answers_and_per_call_times(result):
    text = json.dumps(result_facts(result))
    assert len(text) < 12_000
    assert json.loads(text)["confirmations"][0]["speed"][0]["samples"] == []
    assert json.loads(text)["original"]["evidence"] is None
    assert json.loads(text)["sentence"].startswith("3.39 times")
