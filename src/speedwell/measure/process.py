"""One child process in its own session: started, watched, stopped, and never left behind.

Three things end it when the parent is gone, however the parent went: a guard (a shell of a few hundred kilobytes
that waits for the parent's end of a pipe to close, then kills the whole group, even one that is stopped or busy in
native code); on Linux the kernel's parent-death signal; and the end of the request pipe, which an idle worker sees.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

__all__ = ["ChildProcess", "oom_kills", "peak_bytes", "resident_bytes"]

_GUARD = 'trap "" INT TERM HUP; read -r word || kill -s KILL -- "-$1"'
_LOG_BYTES = 16 << 20
_TAIL_BYTES = 8 << 10


class ChildProcess:
    """``python -P -m module fds...``; ``pid`` leads its own session, so Ctrl-C in the terminal does not reach it.

    ``request`` is the file descriptor to write to it, ``reply`` the one to read from it (not blocking).
    """

    def __init__(self, module: str, environment: Mapping[str, str], log: Path) -> None:
        self.owner = os.getpid()
        self.log = log
        self.exit_code: int | None = None
        self.peak = 0
        self._ended = False
        child_request, self.request = os.pipe()
        self.reply, child_reply = os.pipe()
        guard_end, self._life = os.pipe()
        self._log = os.open(log, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC, 0o600)
        # The kernel's signal follows the thread that starts the child, not the process: of use from the main one only.
        follow = sys.platform == "linux" and threading.current_thread() is threading.main_thread()
        fds = [str(child_request), str(child_reply), str(self.owner), str(int(follow))]
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, *fds],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                pass_fds=(child_request, child_reply),
                env=dict(environment),
                start_new_session=True,
            )
            self.pid = self._process.pid
            self._guard = subprocess.Popen(
                ["/bin/sh", "-c", _GUARD, "speedwell-guard", str(self.pid)],
                stdin=guard_end,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env={},
            )
        except BaseException:
            for fd in (self.request, self.reply, self._life, self._log):
                os.close(fd)
            if hasattr(self, "_process"):
                self._process.kill()
                self._process.wait()
            raise
        finally:
            for fd in (child_request, child_reply, guard_end):
                os.close(fd)
        os.set_blocking(self.request, False)
        os.set_blocking(self.reply, False)

    def alive(self) -> bool:
        """True until the child has ended. Its process id stays reserved until ``end``."""
        if self._ended or self._process.returncode is not None:
            return False
        if not hasattr(os, "waitid"):
            return self._process.poll() is None
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        except ChildProcessError:  # reaped elsewhere: the program around us ignores SIGCHLD
            return False

    def resident(self) -> int:
        """Bytes resident now in the child."""
        own = resident_bytes(self.pid)
        self.peak = max(self.peak, own)
        return own

    def resident_session(self) -> int:
        """Bytes resident now in all processes of the session (Linux; elsewhere the child alone)."""
        return sum(resident_bytes(pid) for pid in _session(self.pid)) or self.resident()

    def high_water(self) -> int:
        """Largest resident size of the child so far, in bytes; what was seen last once it has ended."""
        if self.alive():
            self.peak = max(self.peak, peak_bytes(self.pid) or resident_bytes(self.pid))
        return self.peak

    def stop(self) -> None:
        """SIGSTOP to the group; returns once every thread of the child sleeps. No effect on a child that ended."""
        self._signal(signal.SIGSTOP)
        if hasattr(os, "waitid"):
            until = time.monotonic() + 2.0
            while time.monotonic() < until and self.alive():
                state = os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if state is not None:
                    return
                time.sleep(0.0002)

    def proceed(self) -> None:
        """SIGCONT to the group."""
        self._signal(signal.SIGCONT)

    def tail(self) -> str:
        """The last of what the child printed."""
        with contextlib.suppress(OSError):
            size = os.fstat(self._log).st_size
            data = os.pread(self._log, _TAIL_BYTES, max(0, size - _TAIL_BYTES))
            return data.decode(errors="replace").strip()
        return ""

    def trim_log(self) -> None:
        """Start the log again once it is over 16 MiB: a child that prints without end does not fill the disk."""
        with contextlib.suppress(OSError):
            if os.fstat(self._log).st_size > _LOG_BYTES:
                os.ftruncate(self._log, 0)

    def end(self) -> None:
        """Kill the group and what it started elsewhere, reap, close. Idempotent; only the process that opened acts."""
        if self._ended or os.getpid() != self.owner:
            return
        self.high_water()
        others = _descendants(self.pid) | set(_session(self.pid))
        self._signal(signal.SIGKILL)
        for pid in others - {self.pid}:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        self._ended = True
        self.exit_code = self._process.wait()
        with contextlib.suppress(OSError):  # a guard that somebody killed does not read
            os.write(self._life, b"done\n")
        for fd in (self._life, self.request, self.reply, self._log):
            os.close(fd)
        self._guard.wait()
        self.log.unlink(missing_ok=True)

    def _signal(self, number: signal.Signals) -> None:
        if self._ended or os.getpid() != self.owner:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
            os.killpg(self.pid, number)


def resident_bytes(pid: int) -> int:
    """Resident set of a process in bytes; 0 where it is gone or the system does not say."""
    if sys.platform == "linux":
        try:
            return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, IndexError, ValueError):
            return 0
    try:
        text = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
        return int(text or 0) * 1024
    except (OSError, ValueError):
        return 0


def peak_bytes(pid: int) -> int:
    """Largest resident set of a living process so far, in bytes; 0 where it is gone or the system does not say. Not
    ``ru_maxrss``, where exec keeps the peak of the process that started this one.
    """
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        return 0
    return 0


def oom_kills() -> int:
    """How many processes the kernel has killed for memory since it started; 0 where it does not say."""
    try:
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    except (OSError, ValueError):
        return 0
    return 0


def _stat(pid: str) -> tuple[int, int] | None:
    """Parent and session of a process; None where it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return int(fields[1]), int(fields[3])
    except (OSError, IndexError, ValueError):
        return None


def _table() -> dict[int, tuple[int, int]]:
    try:
        names = [n for n in os.listdir("/proc") if n.isdigit()]
    except OSError:
        return {}
    return {int(n): s for n in names if (s := _stat(n)) is not None}


def _session(leader: int) -> list[int]:
    return [pid for pid, (_, session) in _table().items() if session == leader]


def _descendants(root: int) -> set[int]:
    table = _table()
    found: set[int] = set()
    fresh = {root}
    while fresh:
        fresh = {pid for pid, (parent, _) in table.items() if parent in fresh} - found
        found |= fresh
    return found
