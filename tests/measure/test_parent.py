import os
import signal
import subprocess
import sys

from speedwell.measure.parent import die_with


def test_a_worker_whose_parent_died_before_it_could_ask_ends_itself():
    code = "from speedwell.measure.parent import die_with; die_with(1 << 22)"
    done = subprocess.run([sys.executable, "-c", code], timeout=60)
    assert done.returncode == -signal.SIGKILL


def test_a_worker_whose_parent_lives_goes_on():
    code = f"from speedwell.measure.parent import die_with; die_with({os.getpid()})"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
    assert callable(die_with)
