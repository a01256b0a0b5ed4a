"""``peer_environment``: a throw-away environment of a peer's own, CPU packages at the versions that CI uses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

__all__ = ["peer_environment"]

CONSTRAINTS = Path(__file__).resolve().parents[1] / "constraints.txt"


@contextmanager
def peer_environment(packages: Sequence[str], here: bool) -> Iterator[str]:
    """The path of a Python that has ``packages``; deleted after use. ``here``: the current one."""
    if here:
        yield sys.executable
        return
    with TemporaryDirectory(prefix="speedwell-peer-") as name:
        print(f"making an environment with {', '.join(packages)}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", name], check=True)
        python = str(Path(name) / "bin" / "python")
        install = [python, "-m", "pip", "install", "--quiet", "-c", str(CONSTRAINTS), *packages]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"the peer's environment cannot be made: {done.stderr[-800:]}")
        yield python
