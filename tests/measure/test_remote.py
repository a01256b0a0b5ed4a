import gc
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import measure_jobs as jobs
import pytest

from speedwell.core.errors import EngineError, JobError, UsageError
from speedwell.measure.limits import Limits
from speedwell.measure.remote import Remote

LIMITS = Limits(60.0)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def gone(*pids: int, within: float = 20.0) -> bool:
    until = time.monotonic() + within
    while any(alive(p) for p in pids) and time.monotonic() < until:
        time.sleep(0.02)
    return not any(alive(p) for p in pids)


@pytest.fixture
def remote(tmp_path):
    with Remote.open(jobs.service, {"seconds": 0.0005}, LIMITS, tmp_path) as opened:
        yield opened


def test_the_service_lives_between_calls(remote):
    assert [remote.call("count").value for _ in range(3)] == [1, 2, 3]
    assert remote.call("echo", a=[1], seconds=30.0).value == {"a": [1]}


def test_it_stays_usable_after_an_exception_of_the_service(remote):
    with pytest.raises(JobError, match="once"):
        remote.call("fail")
    with pytest.raises(JobError, match="no attribute"):
        remote.call("nothing_of_the_kind")
    assert remote.call("count").value == 1


def test_private_methods_are_out_of_reach(remote):
    with pytest.raises(UsageError):
        remote.call("__init__")


def test_a_timeout_ends_it_and_later_calls_say_so(remote):
    with pytest.raises(JobError) as caught:
        remote.call("hang", seconds=0.3)
    assert caught.value.kind == "timeout"
    assert remote.closed
    assert gone(remote.pid)
    with pytest.raises(JobError, match="ended before"):
        remote.call("count")


def test_death_between_calls_is_told_at_the_next(remote):
    os.kill(remote.pid, signal.SIGKILL)
    with pytest.raises(JobError) as caught:
        remote.call("count")
    assert caught.value.kind == "killed"


def test_an_exit_within_a_call_is_silent_exit(remote):
    with pytest.raises(JobError) as caught:
        remote.call("leave")
    assert caught.value.kind == "silent exit"


def test_opening_raises_what_the_function_raised_and_leaves_no_process(tmp_path):
    with pytest.raises(EngineError, match="cannot compile"):
        Remote.open(jobs.broken_service, {}, LIMITS, tmp_path)
    assert not list(tmp_path.iterdir())


def test_opening_is_bounded_in_time(tmp_path):
    with pytest.raises(JobError) as caught:
        Remote.open(jobs.hang, {}, Limits(0.4), tmp_path)
    assert caught.value.kind == "timeout"


def test_a_paused_worker_sleeps_and_a_resumed_one_goes_on(tmp_path):
    file = tmp_path / "beats"
    with Remote.open(jobs.beat, {"path": str(file)}, LIMITS, tmp_path) as remote:
        until = time.monotonic() + 20
        while (not file.exists() or file.stat().st_size < 3) and time.monotonic() < until:
            time.sleep(0.01)
        remote.pause()
        remote.pause()
        size = file.stat().st_size
        time.sleep(0.1)
        assert file.stat().st_size == size
        remote.resume()
        while file.stat().st_size == size and time.monotonic() < until:
            time.sleep(0.01)
        assert file.stat().st_size > size
        remote.pause()
        assert remote.call("count").value == 1  # a call wakes it


def test_close_is_idempotent_ends_grandchildren_and_works_on_a_stopped_worker(tmp_path):
    remote = Remote.open(jobs.service, {}, LIMITS, tmp_path)
    children = [remote.call("spawn").value, remote.call("spawn", new_session=True).value]
    remote.pause()
    remote.close()
    remote.close()
    assert gone(remote.pid, *children, within=5)
    assert not list(tmp_path.iterdir())


def test_a_crash_takes_its_grandchildren_along(tmp_path):
    remote = Remote.open(jobs.service, {}, LIMITS, tmp_path)
    child = remote.call("spawn").value
    with pytest.raises(JobError):
        remote.call("leave")
    assert gone(child, within=5)


def test_a_forgotten_remote_is_ended_when_it_is_collected(tmp_path):
    pid = Remote.open(jobs.service, {}, LIMITS, tmp_path).pid
    gc.collect()
    assert gone(pid, within=5)


PARENT = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
import measure_jobs as jobs
from speedwell.measure import Limits, Remote
remote = Remote.open(jobs.service, {{}}, Limits(60), Path("scratch"))
child = remote.call("spawn").value
{then}
print(remote.pid, child, flush=True)
{last}
"""


def start_parent(tmp_path, then="", last="time.sleep(120)"):
    code = PARENT.format(tests=str(Path(__file__).parent), then=then, last=last)
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, text=True, start_new_session=True
    )


@pytest.mark.parametrize("then", ["", "remote.pause()"], ids=["idle", "stopped"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_parent_leaves_nothing(tmp_path, number, then):
    with start_parent(tmp_path, then) as parent:
        pids = [int(p) for p in parent.stdout.readline().split()]
        parent.send_signal(number)
        parent.wait(20)
        assert len(pids) == 2
        assert gone(*pids)


def test_a_killed_parent_leaves_nothing_of_a_worker_in_the_middle_of_a_call(tmp_path):
    last = "remote.call('hang')"
    with start_parent(tmp_path, last=last) as parent:
        pids = [int(p) for p in parent.stdout.readline().split()]
        parent.kill()
        parent.wait(20)
        assert gone(*pids)


def test_a_parent_that_just_ends_leaves_nothing(tmp_path):
    with start_parent(tmp_path, last="") as parent:
        pids = [int(p) for p in parent.stdout.readline().split()]
        assert parent.wait(20) == 0
        assert gone(*pids)


def test_ctrl_c_reaches_the_parent_and_not_the_worker(tmp_path):
    last = """
try:
    print("ready", flush=True)
    time.sleep(120)
except KeyboardInterrupt:
    print(remote.call("count").value, flush=True)
"""
    with start_parent(tmp_path, last=last) as parent:
        pids = [int(p) for p in parent.stdout.readline().split()]
        assert parent.stdout.readline() == "ready\n"
        os.killpg(parent.pid, signal.SIGINT)  # as a terminal does: to the whole foreground group
        assert parent.stdout.readline() == "1\n"
        parent.wait(20)
        assert gone(*pids)


def test_an_interrupted_call_does_not_mix_up_later_answers(tmp_path):
    # In a process of its own: pytest's fault handler gives this one a small signal stack, and once another test has
    # loaded OpenVINO here, delivering a signal overruns it.
    last = """
import os, signal, threading
threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    remote.call("time", calls=1000)
except KeyboardInterrupt:
    print("interrupted", remote.call("count").value, flush=True)
"""
    with start_parent(tmp_path, last=last) as parent:
        parent.stdout.readline()
        assert parent.stdout.readline() == "interrupted 1001\n"


def test_a_worker_opened_in_a_thread_outlives_the_thread(tmp_path):
    opened = []
    thread = threading.Thread(target=lambda: opened.append(Remote.open(jobs.service, {}, LIMITS, tmp_path)))
    thread.start()
    thread.join()
    time.sleep(0.1)
    with opened[0] as remote:
        assert remote.call("count").value == 1


def test_peak_memory_remembers_what_was_freed_and_outlives_the_worker(remote):
    before = remote.peak_memory()
    remote.call("allocate", megabytes=100)
    assert remote.peak_memory() - before > 90 << 20
    remote.close()
    assert remote.peak_memory() - before > 90 << 20


def test_open_files_and_processes_stay_constant(tmp_path):
    def descriptors():
        return len(os.listdir("/proc/self/fd"))

    Remote.open(jobs.service, {}, LIMITS, tmp_path).close()
    before = descriptors()
    for _ in range(5):
        Remote.open(jobs.service, {}, LIMITS, tmp_path).close()
    assert descriptors() == before
