"""One run of a torch model on two engines, with every socket call of every process and the parent's memory noted."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import small_world as w

__all__ = ["Watched", "environment", "watch"]

HOOK = """
import os
import sys


def hook(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"):
        address = arguments[1] if event in ("socket.connect", "socket.sendto") else arguments[0]
        place = address[0] if isinstance(address, tuple) else address
        if str(place) not in ("127.0.0.1", "::1", "localhost") and not str(place).startswith("/"):
            note(f"{event} {arguments!r} in {sys.argv}")


def note(text):
    fd = os.open(os.environ["SPEEDWELL_TEST_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(fd, (text + chr(10)).encode())
    os.close(fd)


sys.addaudithook(hook)
note("started")
"""


@dataclass(frozen=True)
class Watched:
    """``peak_kilobytes``: VmHWM of the command's own process; ``mapped``: the files it had mapped last;
    ``noted``: "started" per Python process, then each attempt to reach beyond loopback.
    """

    code: int
    said: str
    peak_kilobytes: int
    mapped: str
    noted: tuple[str, ...]


def environment(folder: Path) -> dict[str, str]:
    """Variables under which each Python process notes its connections in ``folder``/connections.log."""
    (folder / "hook").mkdir(exist_ok=True)
    (folder / "hook" / "sitecustomize.py").write_text(HOOK)
    return {"PYTHONPATH": str(folder / "hook"), "SPEEDWELL_TEST_LOG": str(folder / "connections.log")}


def watch(world: Path, folder: Path) -> Watched:
    """Run it, in a network namespace without interfaces where the system lets us make one."""
    program = [sys.executable, "-m", "speedwell"]
    if shutil.which("unshare") and subprocess.run(["unshare", "-rn", "true"], check=False).returncode == 0:
        program = ["unshare", "-rn", *program]
    process = w.started(
        "accelerate", f"{world / 'code' / 'digit_reader.py'}:build", "--weights",
        world / "code" / "digit_reader.safetensors", "--data", world / "scans", "--engines=onnxruntime,openvino",
        "--passes=to_onnx", "--size=8", "--budget=10m", "--rounds=4", "--calls=3", "--threads=1", "--run=run",
        "--out=bundle", "--quiet", *w.IMAGE_OPTIONS, cwd=folder, environment=environment(folder), program=program,
    )  # fmt: skip
    peak, mapped = 0, ""
    try:
        while process.poll() is None:
            try:
                status = Path(f"/proc/{process.pid}/status").read_text()
                mapped = Path(f"/proc/{process.pid}/maps").read_text() or mapped
            except OSError:  # it has just ended
                break
            peak = max([peak, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))])
            time.sleep(0.1)
        out, errors = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    noted = tuple((folder / "connections.log").read_text().splitlines())
    return Watched(process.returncode, out + errors, peak, mapped, noted)
