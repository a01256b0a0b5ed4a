import os
import signal
import subprocess
import sys

from speedwell.measure.worker import _describe, _die_with


def test_an_exception_is_described_with_all_its_classes():
    facts = _describe(FileNotFoundError("nothing there"))
    assert facts["classes"][:2] == ["FileNotFoundError", "OSError"]
    assert facts["what"] == "nothing there"


def test_a_worker_whose_parent_died_before_it_could_ask_ends_itself():
    code = "from speedwell.measure.worker import _die_with; _die_with(1 << 22)"
    done = subprocess.run([sys.executable, "-c", code], timeout=60)
    assert done.returncode == -signal.SIGKILL


def test_a_worker_whose_parent_lives_goes_on():
    code = f"from speedwell.measure.worker import _die_with; _die_with({os.getpid()})"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
    assert callable(_die_with)
