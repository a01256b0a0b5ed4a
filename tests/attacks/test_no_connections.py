"""Nothing leaves the machine (security.md B7): every socket call of the command and its workers is written down.

An audit hook sees ``socket.connect``, ``sendto`` and name look-ups of Python code in every process; below Python, a
network namespace without interfaces (where the system lets us make one) shows that no library needs a network.
"""

import subprocess
import sys
from pathlib import Path

from watched_run import Watched, environment


def test_the_hook_sees_a_connection_attempt(tmp_path: Path) -> None:
    code = "import socket\ntry:\n socket.create_connection(('192.0.2.1', 9), 0.01)\nexcept OSError:\n pass"
    subprocess.run([sys.executable, "-c", code], env=environment(tmp_path), check=True, timeout=30)
    assert "socket.connect" in (tmp_path / "connections.log").read_text()


def test_no_process_of_a_run_tries_to_reach_another_machine(watched: Watched) -> None:
    assert watched.code == 0, watched.said
    assert watched.noted.count("started") > 5, "the hook was in every worker"
    assert [line for line in watched.noted if line != "started"] == []
