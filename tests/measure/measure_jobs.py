"""What the tests run in worker processes: jobs that answer, and jobs that go wrong in every typed way."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from speedwell.core.errors import DataError, EngineError, EngineUnavailableError, JobError
from speedwell.measure.reply import Reply


class PluginError(EngineError):
    """A plug-in's own error."""


def add(a, b):
    return a + b


def where():
    return {"cwd": os.getcwd(), "path": sys.path, "argv": sys.argv, "environ": dict(os.environ)}


def double(array):
    return {"doubled": array * 2}


def noisy():
    print("a library talks on stdout")
    os.write(1, b"and a native one on descriptor 1\n")
    os.write(2, b"and on 2\n")
    return Reply({"ok": True}, {"x": np.arange(3)})


def hang(seconds=60):
    time.sleep(seconds)


def hang_in_native_code():
    ctypes.PyDLL(None).sleep(60)  # PyDLL keeps the GIL


def seven_terabytes():
    return float(np.ones(7 << 37, dtype=np.float64).sum())


def grow():
    kept = []
    while True:
        kept.append(np.ones(4 << 20, dtype=np.float64))
        time.sleep(0.002)


def bad_alloc():
    os.write(2, b"terminate called after throwing an instance of 'std::bad_alloc'\n")
    os.abort()


def die(number):
    os.kill(os.getpid(), number)
    time.sleep(10)


def segfault():
    ctypes.string_at(0)


def leave(code):
    os._exit(code)


def raise_value_error():
    raise ValueError("the shape is wrong")


def raise_unavailable():
    raise EngineUnavailableError("openvino cannot run here", "pip install openvino")


def raise_plugin():
    raise PluginError("mine", "mend it")


def raise_data():
    raise DataError("bad data")


def raise_job():
    raise JobError("outputs hold NaN", kind="not finite")


def raise_bad_alloc_words():
    raise RuntimeError("[ONNXRuntimeError] bad allocation")


def give_object():
    return object()


def give_objects():
    return {"x": np.array([object()])}


def garble():
    import gc  # noqa: F401

    for fd in range(3, 64):
        try:
            if os.fstat(fd).st_mode & 0o170000 == 0o010000:
                os.write(fd, b"not a message at all, but long enough")
        except OSError:
            continue
    time.sleep(5)


class Service:
    """Keeps state between calls, and times itself as sessions do."""

    def __init__(self, seconds=0.001, fail_after=None, noise=0.0):
        self.seconds = seconds
        self.calls = 0
        self.fail_after = fail_after
        self.rng = np.random.default_rng(1)
        self.noise = noise

    def count(self):
        self.calls += 1
        return self.calls

    def echo(self, **arguments):
        return arguments

    def fail(self):
        raise ValueError("once")

    def time(self, calls):
        out = []
        for _ in range(calls):
            self.calls += 1
            if self.fail_after is not None and self.calls > self.fail_after:
                os.kill(os.getpid(), signal.SIGSEGV)
            begin = time.perf_counter()
            until = begin + self.seconds * (1 + self.noise * abs(self.rng.standard_normal()))
            while time.perf_counter() < until:
                pass
            out.append(time.perf_counter() - begin)
        return out

    def hang(self):
        time.sleep(60)

    def spawn(self, new_session=False):
        return subprocess.Popen(["sleep", "300"], start_new_session=new_session).pid

    def allocate(self, megabytes):
        return int(np.ones(megabytes << 17).size)

    def leave(self):
        os._exit(0)


def service(**arguments):
    return Service(**arguments)


def broken_service():
    raise EngineError("cannot compile", "use another engine")


def beat(path: str):
    """Appends a byte to a file every millisecond or so, in a thread; so a test sees whether it sleeps."""
    import threading

    def work():
        with Path(path).open("ab", buffering=0) as f:
            while True:
                f.write(b".")
                time.sleep(0.001)

    threading.Thread(target=work, daemon=True).start()
    return Service()


class TwoSpeeds:
    """Workload 1 sleeps 4 ms a call, workload 0 does nothing."""

    pause = 0.0

    def use(self, workload):
        self.pause = 0.004 * workload

    def time(self, calls):
        samples = []
        for _ in range(calls):
            began = time.perf_counter()
            time.sleep(self.pause)
            samples.append(time.perf_counter() - began)
        return samples


def two_speeds():
    return TwoSpeeds()
