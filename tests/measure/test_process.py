import os
import subprocess
import sys
import time

import pytest

from speedwell.measure.process import ChildProcess, oom_kills, peak_bytes, resident_bytes


def child(tmp_path, source):
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "planted_child.py").write_text(source)
    log = tmp_path / "log"
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONUNBUFFERED": "1"}
    return ChildProcess("planted_child", environment, log), log


def wait_for(condition, seconds=20):
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    return condition()


def test_the_exit_code_is_known_after_the_end_and_the_log_is_private_and_removed(tmp_path):
    process, log = child(tmp_path, "print('last words'); raise SystemExit(5)")
    assert wait_for(lambda: not process.alive())
    assert process.tail() == "last words"
    assert log.stat().st_mode & 0o777 == 0o600
    process.end()
    process.end()
    assert process.exit_code == 5
    assert not log.exists()


def test_a_log_without_end_is_started_again(tmp_path):
    process, log = child(tmp_path, "import sys\nwhile True: sys.stdout.write('x' * 1000000)")
    assert wait_for(lambda: log.stat().st_size > 17 << 20)
    process.stop()
    process.trim_log()
    assert log.stat().st_size == 0
    process.end()


def test_resident_bytes_are_those_of_the_process():
    assert resident_bytes(os.getpid()) > 10 << 20
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    assert resident_bytes(done.pid) == peak_bytes(done.pid) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="peaks are read from /proc")
def test_a_peak_is_the_process_s_own():
    """What the system calls ru_maxrss would be that of the larger process that started it."""
    script = "import os; from speedwell.measure.process import peak_bytes; print(peak_bytes(os.getpid()))"
    held = b"x" * (400 << 20)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert 5 << 20 < int(done.stdout) < len(held)
    assert peak_bytes(os.getpid()) > len(held)


def test_the_kernels_count_of_memory_kills_is_a_number():
    assert oom_kills() >= 0
