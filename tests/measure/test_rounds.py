import functools
import time

import measure_jobs as jobs
import numpy as np
import pytest

from speedwell.core import SpeedVerdict, Workload
from speedwell.measure.limits import Limits
from speedwell.measure.remote import Remote
from speedwell.measure.rounds import run_rounds, with_control
from speedwell.measure.speed import speed_claim


def opener(tmp_path, function=jobs.service, **arguments):
    return functools.partial(Remote.open, function, arguments, Limits(60.0), tmp_path)


def test_each_round_opens_fresh_processes_and_gives_pairs(tmp_path):
    seen, pids = [], []
    make = opener(tmp_path, seconds=0.001)

    def open_and_note():
        remote = make()
        pids.append(remote.pid)
        return remote

    sessions = with_control({"original": open_and_note, "half": opener(tmp_path, seconds=0.0005)}, "original")
    assert list(sessions) == ["original", "half", "original again"]
    result = run_rounds(sessions, 3, 4, np.random.default_rng(0), seen.append, warmup=1)
    assert seen == [1, 2, 3]
    assert [sorted(r[0]) for r in result.rounds] == [["half", "original", "original again"]] * 3
    assert len(set(pids)) == 6
    assert not result.failures
    assert result.memory["half"] > 1 << 20
    assert len(result.pairs("original", "original again")) == 3
    timing = result.timing(Workload(1, 1), "original", "half")
    assert len(timing.baseline) == len(timing.candidate) == 3
    claim = speed_claim(result.pairs("original", "half"), "original", Workload(1, 1))
    assert claim.verdict is not SpeedVerdict.SLOWER
    assert not list(tmp_path.iterdir())


def test_one_that_cannot_open_or_run_is_dropped_with_its_reason(tmp_path):
    sessions = {
        "good": opener(tmp_path),
        "broken": opener(tmp_path, jobs.broken_service),
        "dying": opener(tmp_path, fail_after=8),
    }
    result = run_rounds(sessions, 2, 6, np.random.default_rng(1), warmup=1)
    assert len(result.pairs("good", "good")) == 2
    assert result.failures["broken"].stage == "compile"
    assert "cannot compile" in result.failures["broken"].message
    assert result.failures["dying"].kind.value == "crash"
    assert not result.pairs("good", "dying")
    assert not list(tmp_path.iterdir())


def test_no_round_begins_that_would_not_end_before_the_deadline(tmp_path):
    make = opener(tmp_path, seconds=0.001)
    assert run_rounds({"a": make}, 3, 2, np.random.default_rng(0), deadline=time.monotonic() - 1).rounds == ()
    result = run_rounds({"a": make}, 1000, 2, np.random.default_rng(0), deadline=time.monotonic() + 1.5)
    assert 1 <= len(result.rounds) < 1000


def test_an_interrupt_leaves_no_process(tmp_path):
    opened = []

    def make():
        opened.append(Remote.open(jobs.service, {}, Limits(60.0), tmp_path))
        return opened[-1]

    def interrupt(number):
        if number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_rounds({"a": make, "b": make}, 5, 1, np.random.default_rng(0), interrupt)
    assert len(opened) == 2
    assert all(remote.closed for remote in opened)


def test_several_workloads_share_the_processes_of_a_round(tmp_path):
    make, opened = opener(tmp_path, jobs.two_speeds), []

    def open_and_note():
        opened.append(make())
        return opened[-1]

    result = run_rounds({"a": open_and_note, "b": open_and_note}, 2, [3, 2], np.random.default_rng(0), warmup=1)
    assert len(opened) == 4
    for workload, calls, slower in ((0, 3, 0.0), (1, 2, 0.004)):
        pairs = result.pairs("a", "b", workload)
        assert [len(a) for a, _ in pairs] == [calls, calls]
        assert min(min(a) for a, _ in pairs) >= slower
