import contextlib
import time
from pathlib import Path

import measure_jobs as jobs
import numpy as np
import pytest

from speedwell.measure.interleaving import interleave
from speedwell.measure.limits import Limits
from speedwell.measure.remote import Remote

LIMITS = Limits(60.0)


@pytest.fixture
def open_all(tmp_path):
    with contextlib.ExitStack() as stack:

        def make(**services):
            return {
                name: stack.enter_context(Remote.open(jobs.service, arguments, LIMITS, tmp_path))
                for name, arguments in services.items()
            }

        yield make


def test_each_session_gives_its_calls_measured_inside(open_all):
    sessions = open_all(fast={"seconds": 0.001}, slow={"seconds": 0.004})
    result = interleave(sessions, 7, np.random.default_rng(0), warmup=2, block=3, settle=1)
    assert {n: len(s) for n, s in result.samples.items()} == {"fast": 7, "slow": 7}
    assert min(result.samples["fast"]) >= 0.001
    assert min(result.samples["slow"]) >= 0.004
    assert not result.failures
    assert sessions["fast"].call("count").value == 2 + 7 + 3 + 1  # warm-up, kept, one settling call a turn


def test_all_but_one_sleep_while_it_is_timed(tmp_path, open_all):
    file = tmp_path / "beats"
    with Remote.open(jobs.beat, {"path": str(file)}, LIMITS, tmp_path) as beating:
        sessions = open_all(timed={"seconds": 0.02})
        until = time.monotonic() + 20
        while (not file.exists() or file.stat().st_size < 3) and time.monotonic() < until:
            time.sleep(0.01)
        beating.pause()
        before = file.stat().st_size
        interleave({**sessions}, 3, np.random.default_rng(0))
        assert file.stat().st_size == before
        result = interleave({"beating": beating, **sessions}, 2, np.random.default_rng(0))
        assert set(result.samples) == {"beating", "timed"}
        size = file.stat().st_size
        assert size > before
        time.sleep(0.05)
        assert file.stat().st_size == size


def test_a_session_that_dies_is_dropped_and_the_others_go_on(open_all):
    sessions = open_all(good={}, dying={"fail_after": 4}, other={})
    result = interleave(sessions, 6, np.random.default_rng(0), warmup=1)
    assert set(result.samples) == {"good", "other"}
    assert result.failures["dying"].kind.value == "crash"
    assert result.failures["dying"].stage == "time"
    assert sessions["dying"].closed
    assert not Path(f"/proc/{sessions['dying'].pid}").exists()


def test_a_hang_is_bounded_by_the_turns_own_time(open_all):
    sessions = open_all(good={}, stuck={"seconds": 30.0})
    result = interleave(sessions, 1, np.random.default_rng(0), warmup=0, seconds=1.0)
    assert result.failures["stuck"].kind.value == "timeout"
    assert len(result.samples["good"]) == 1


def test_numbers_that_mean_nothing_are_refused(open_all):
    with pytest.raises(ValueError, match="calls 0"):
        interleave(open_all(), 0, np.random.default_rng(0))
