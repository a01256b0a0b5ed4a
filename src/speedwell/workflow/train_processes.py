"""Several processes on this machine that train one network: started, watched, and never left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from ..core import errors
from ..core.errors import SpeedwellError, WorkerLostError
from ..measure import thread_environment
from ..measure.parent import die_with

__all__ = ["CHILD", "follow_parent", "rank_environments", "run_processes", "tell_parent"]

CHILD = "SPEEDWELL_TRAIN_CHILD"
"""Set in a child: its parent's process id."""
GRACE = 15.0
"""Seconds that the others have to end by themselves after one of them has gone."""


def run_processes(folder: Path, processes: int, threads: int, arguments: tuple[str, ...] = ()) -> None:
    """Train what ``folder`` describes in ``processes`` processes of ``threads`` threads. The first one's words go to
    this terminal, those of the others to ``folder/process-<n>.log``. Ctrl-C reaches all: each ends after its step.

    Raises the error that ended the training, or ``WorkerLostError`` where a process was killed.
    """
    for old in folder.glob("error-*.json"):
        old.unlink()
    common = {**os.environ, **thread_environment(threads), CHILD: str(os.getpid())}
    children = [
        _start(folder, rank, {**common, **named}, arguments) for rank, named in enumerate(rank_environments(processes))
    ]
    asked = False
    try:
        while any(child.poll() is None for child in children):
            try:
                if any(child.returncode for child in children):
                    _end(children)
                time.sleep(0.1)
            except KeyboardInterrupt:
                if asked:
                    raise
                asked = True
                for child in children:
                    if child.poll() is None:
                        child.send_signal(signal.SIGINT)
    finally:
        for child in children:
            if child.poll() is None:
                child.kill()
                child.wait()
    if asked:
        raise KeyboardInterrupt
    _judge(folder, children)


def follow_parent() -> None:
    """In a child: die with the parent, however it ends (Linux)."""
    parent = os.environ.get(CHILD)
    if parent and sys.platform == "linux":
        die_with(int(parent))


def tell_parent(folder: Path, error: SpeedwellError) -> None:
    """In a child: leave the error where the parent finds it."""
    if CHILD in os.environ and folder.is_dir():
        (folder / f"error-{os.environ['RANK']}.json").write_text(json.dumps(error.as_dict()))


def rank_environments(world: int) -> list[dict[str, str]]:
    """The variables by which ``world`` processes on this machine find each other (``training.joined``), one mapping
    each.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    common = {
        "WORLD_SIZE": str(world),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        # the name of this machine may not resolve where there is no network; all of it stays here anyway
        "GLOO_SOCKET_IFNAME": "lo",
        # torch's remark on a choice that is ours (``Ranks.wrapped``)
        "TORCH_CPP_LOG_LEVEL": "ERROR",
    }
    return [{**common, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(world)]


def _start(folder: Path, rank: int, environment: dict[str, str], arguments: tuple[str, ...]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "speedwell", "train", "--resume", str(folder), *arguments]
    if rank == 0:
        return subprocess.Popen(command, env=environment, start_new_session=True)
    with (folder / f"process-{rank}.log").open("wb") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)


def _end(children: list[subprocess.Popen[bytes]]) -> None:
    """One has failed: the others find out by their next collective, or are ended."""
    until = time.monotonic() + GRACE
    while time.monotonic() < until and any(child.poll() is None for child in children):
        time.sleep(0.05)
    for child in children:
        if child.poll() is None:
            child.terminate()
            time.sleep(0.5)
            child.kill()
            child.wait()


def _judge(folder: Path, children: list[subprocess.Popen[bytes]]) -> None:
    codes = [child.returncode for child in children]
    if not any(codes):
        return
    killed = [rank for rank, code in enumerate(codes) if code is not None and code < 0]
    told = _errors(folder)
    lost = [e for e in told if not isinstance(e, WorkerLostError)]
    if lost:
        raise lost[0]
    if killed:
        name = signal.Signals(-codes[killed[0]]).name
        raise WorkerLostError(
            f"process {killed[0] + 1} of {len(children)} was killed ({name})",
            f"Go on from the last checkpoint: speedwell train --resume {folder}",
        )
    first = next(rank for rank, code in enumerate(codes) if code)
    log = folder / f"process-{first}.log"
    words = log.read_text(errors="replace").strip().splitlines()[-1:] if log.is_file() else []
    raise (
        told[0]
        if told
        else WorkerLostError(
            f"process {first + 1} of {len(children)} ended with code {codes[first]}: {' '.join(words)}",
            f"See {log}; go on with: speedwell train --resume {folder}",
        )
    )


def _errors(folder: Path) -> list[SpeedwellError]:
    found = []
    for path in sorted(folder.glob("error-*.json")):
        record = json.loads(path.read_text())
        kind = getattr(errors, record["error"], SpeedwellError)
        found.append(kind(record["what"], record["fix"]))
    return found
