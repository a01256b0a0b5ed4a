"""``Remote``: an object that lives in a process of its own, called from here."""

from __future__ import annotations

import itertools
import os
import pickle
import select
import sys
import time
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from speedwell.core.errors import JobError, UsageError
from speedwell.core.outcome import FailureKind

from .environment import worker_environment
from .failure import death, job_error, raised_in_worker
from .limits import Limits
from .process import ChildProcess, oom_kills
from .reply import Reply, WireError, read_message
from .worker import LENGTH

__all__ = ["Remote", "pickle_call", "start_worker"]

_WORKER = "speedwell.measure.worker"
_TICK_SECONDS = 0.05
_counter = itertools.count()


class Remote:
    """Made by ``Remote.open``. A context manager; ``close`` also runs when it is collected and at exit.

    A worker that breaks a limit, dies or garbles its answer is ended and the Remote is closed; an exception raised by
    the service is reported and the Remote stays usable. One call at a time; not for several threads at once.
    """

    def __init__(self, process: ChildProcess, limits: Limits, name: str) -> None:
        self._process = process
        self._limits = limits
        self._name = name
        self._next_id = 0
        self._paused = False
        self._peak = 0
        self._oom_kills = oom_kills()
        self._slow_check = 0.0
        self._finalizer = weakref.finalize(self, process.end)

    @staticmethod
    def open(
        function: Callable[..., Any],
        arguments: Mapping[str, Any],
        limits: Limits,
        scratch: Path,
        environment: Mapping[str, str] | None = None,
    ) -> Remote:
        """Start a process, call ``function(**arguments)`` there and keep what it returns as the service.

        ``function`` is importable by name; the worker gets this process's ``sys.path`` and working folder.
        ``environment`` is laid over this process's variables. Raises ``JobError`` or the error the function raised.
        """
        remote = start_worker(function, limits, scratch, environment)
        try:
            remote._exchange("open", pickle_call(function, arguments), "", limits.seconds)
        except BaseException:
            remote.close()
            raise
        return remote

    @property
    def pid(self) -> int:
        """Process id of the worker, which is also its process group and session."""
        return self._process.pid

    @property
    def closed(self) -> bool:
        """True once the worker has been ended."""
        return not self._finalizer.alive

    def call(self, method: str, /, *, seconds: float | None = None, **arguments: Any) -> Reply:
        """Call a public method of the service. ``seconds``: wall clock for this call, in place of the limits'.

        A paused worker is resumed first. Raises ``JobError`` or the error that the method raised.
        """
        if method.startswith("_"):
            raise UsageError(f"{method!r} is not a public method")
        if self._paused:
            self.resume()
        body = _dumps(arguments, f"the arguments of {method}")
        return self._exchange("call", body, method, self._limits.seconds if seconds is None else seconds)

    def pause(self) -> None:
        """Put the worker and all it started to sleep (SIGSTOP); returns once it sleeps."""
        if not self.closed and not self._paused:
            self._process.stop()
            self._paused = True

    def resume(self) -> None:
        """Wake it again."""
        if not self.closed and self._paused:
            self._process.proceed()
            self._paused = False

    def peak_memory(self) -> int:
        """Largest resident size of the worker process so far, in bytes; also after its end."""
        return max(self._peak, self._process.high_water())

    def close(self) -> None:
        """End the worker and everything it started, now. Idempotent."""
        self._finalizer()

    def __enter__(self) -> Remote:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _exchange(self, kind: str, body: bytes, method: str, seconds: float) -> Reply:
        """One request and its answer. Answers to earlier requests that were given up are read and dropped."""
        doing = f"in {self._name}" + (f".{method}" if method else "")
        if self.closed:
            raise job_error(FailureKind.SILENT_EXIT, f"the worker had ended before the call ({doing})")
        self._next_id += 1
        watch = _Watch(self, doing, seconds)
        request = pickle.dumps({"kind": kind, "id": self._next_id, "method": method, "body": body})
        try:
            watch.write(LENGTH.pack(len(request)) + request)
            while True:
                header, arrays = read_message(watch.read)
                if header.get("id") == self._next_id:
                    break
        except WireError as error:
            detail = self._process.tail()
            self.close()
            what = f"the worker's answer cannot be read while {doing}: {error}"
            raise job_error(FailureKind.ERROR, what, detail=detail) from error
        except JobError:
            self.close()
            raise
        self._peak = max(self._peak, int(header.get("peak") or 0))
        if "failure" in header:
            raise raised_in_worker(header["failure"], self._process.tail())
        return Reply(header.get("value"), arrays, float(header.get("seconds") or 0.0), self._peak)


class _Watch:
    """Reads and writes for one request while it watches the clock, the memory and the life of the worker."""

    def __init__(self, remote: Remote, doing: str, seconds: float) -> None:
        self.remote = remote
        self.process = remote._process
        self.doing = doing
        self.seconds = seconds
        self.deadline = time.monotonic() + seconds
        self.poller = select.poll()

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        self.poller.register(self.process.request, select.POLLOUT)
        while len(rest):
            self._wait()
            try:
                rest = rest[os.write(self.process.request, rest) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise self._death() from None
        self.poller.unregister(self.process.request)
        self.poller.register(self.process.reply, select.POLLIN)

    def read(self, size: int) -> bytearray:
        """Exactly ``size`` bytes."""
        data = bytearray(size)
        view = memoryview(data)
        while len(view):
            try:
                got = os.readv(self.process.reply, [view])
            except BlockingIOError:
                self._wait()
                continue
            if got == 0:
                raise self._death()
            view = view[got:]
        return data

    def _wait(self) -> None:
        """Return when the pipe is ready. Raises ``JobError`` at the deadline, over the memory limit, or at the end."""
        while True:
            left = self.deadline - time.monotonic()
            if left <= 0:
                what = f"no answer within {self.seconds:g} s while {self.doing}"
                fix = "Give it more time, or leave this candidate out."
                raise job_error(FailureKind.TIMEOUT, what, fix, self.process.tail())
            if self.poller.poll(min(left, _TICK_SECONDS) * 1000):
                return
            self._check_memory()
            # A process that the worker forked may hold the pipe open after the worker's end.
            if not self.process.alive() and not self.poller.poll(0):
                raise self._death()

    def _check_memory(self) -> None:
        limit = self.remote._limits.memory_bytes
        now = time.monotonic()
        used = self.process.resident()
        if now - self.remote._slow_check > 1.0:
            self.remote._slow_check = now
            self.process.trim_log()
            if limit:
                used = self.process.resident_session()
        if limit and used > limit:
            what = f"{used / 1e9:.2f} GB in use while {self.doing}, the limit is {limit / 1e9:.2f} GB"
            raise job_error(FailureKind.OUT_OF_MEMORY, what, detail=self.process.tail())

    def _death(self) -> JobError:
        """The pipe ended: give the process a moment to go, then say how it went."""
        until = time.monotonic() + 5.0
        while self.process.alive() and time.monotonic() < until:
            time.sleep(0.002)
        left_alive = self.process.alive()
        detail = self.process.tail()
        self.process.end()
        code = 0 if left_alive else self.process.exit_code or 0
        return death(code, detail, self.doing, oom_kills() > self.remote._oom_kills)


def start_worker(
    function: Callable[..., Any], limits: Limits, scratch: Path, environment: Mapping[str, str] | None
) -> Remote:
    """A worker that is told where to look and what it may use; it has not called anything yet."""
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = [os.path.abspath(p) for p in sys.path]
    log = scratch / f"worker-{os.getpid()}-{next(_counter)}.log"
    process = ChildProcess(_WORKER, worker_environment(path, environment or {}), log)
    remote = Remote(process, limits, getattr(function, "__qualname__", repr(function)))
    setup = {
        "path": path,
        "pythonpath": (environment or {}).get("PYTHONPATH", os.environ.get("PYTHONPATH")),
        "memory_bytes": limits.memory_bytes,
    }
    body = pickle.dumps(setup)
    try:
        _Watch(remote, "starting", limits.seconds).write(LENGTH.pack(len(body)) + body)
    except BaseException:
        remote.close()
        raise
    return remote


def pickle_call(function: Callable[..., Any], arguments: Mapping[str, Any]) -> bytes:
    """A call as bytes for the worker. Raises ``UsageError`` for what another process cannot import or hold."""
    name = getattr(function, "__qualname__", "")
    if getattr(function, "__module__", "__main__") == "__main__" or "<" in name or not name:
        raise UsageError(
            f"{function!r} cannot be called in another process: it is not importable by name",
            "Move it to the top level of a module (a .py file beside the script) and import it from there.",
        )
    return _dumps((function, dict(arguments)), f"the arguments of {name}")


def _dumps(value: Any, what: str) -> bytes:
    try:
        return pickle.dumps(value)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{what} cannot be sent to another process: {error}",
            "Pass paths, records, numbers and arrays, and functions that are importable by name.",
        ) from error
