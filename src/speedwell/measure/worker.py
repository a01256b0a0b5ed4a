"""The child's main: ``python -m speedwell.measure.worker`` (started by ``process.ChildProcess``, not by hand).

Reads requests from a private descriptor and answers on another, so that what libraries print breaks nothing. Imports
stay light: numpy and Speedwell's records are loaded when a job needs them. Requests are pickles written by the parent,
which is trusted; answers are ``reply`` messages, because a worker that ran foreign code is not.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import resource
import signal
import struct
import sys
import time
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from speedwell.measure.parent import die_with
from speedwell.measure.reply import Reply, write_message

__all__ = ["ADDRESS_SLACK", "LENGTH", "main"]

LENGTH = struct.Struct(">Q")
# Torch and OpenVINO reserve far more addresses than they touch; resident memory is what the parent watches. The cap on
# addresses only turns an absurd request (terabytes) into MemoryError where the kernel would grant it.
ADDRESS_SLACK = 256 << 30


def main() -> None:
    """Serve until the request pipe ends."""
    request, reply, parent, follow = (int(a) for a in sys.argv[1:5])
    sys.argv = ["speedwell-worker"]
    for fd in (request, reply):
        os.set_inheritable(fd, False)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if follow:
        die_with(parent)
    with os.fdopen(request, "rb") as requests:
        setup = _receive(requests)
        if setup is None:
            return
        sys.path[:] = setup["path"]
        if setup["pythonpath"] is None:
            os.environ.pop("PYTHONPATH", None)
        else:
            os.environ["PYTHONPATH"] = setup["pythonpath"]
        if setup["memory_bytes"]:
            _cap_addresses(setup["memory_bytes"] + ADDRESS_SLACK)
        service: Any = None
        while (message := _receive(requests)) is not None:
            begin = time.perf_counter()
            try:
                if message["kind"] == "open":
                    function, arguments = pickle.loads(message["body"])  # the module is imported here
                    service = function(**arguments)
                    answer = Reply()
                elif message["kind"] == "job":
                    function, arguments = pickle.loads(message["body"])
                    answer = Reply.of(function(**arguments))
                else:
                    method = getattr(service, message["method"])
                    answer = Reply.of(method(**pickle.loads(message["body"])))
                header = {"id": message["id"], "value": answer.value, "seconds": time.perf_counter() - begin}
                parts = write_message({**header, "peak": _peak()}, answer.arrays)
            except Exception as error:
                traceback.print_exc()
                parts = write_message({"id": message["id"], "failure": _describe(error), "peak": _peak()}, {})
            _send(reply, parts)
    os.killpg(0, signal.SIGKILL)  # the parent is gone: nothing this worker started may outlive it


def _receive(stream: Any) -> Any:
    """The next request; None at the end of the pipe."""
    prefix = stream.read(LENGTH.size)
    if len(prefix) < LENGTH.size:
        return None
    (size,) = LENGTH.unpack(prefix)
    body = stream.read(size)
    return pickle.loads(body) if len(body) == size else None


def _send(fd: int, parts: Iterable[bytes | memoryview]) -> None:
    sys.stdout.flush()
    for part in parts:
        rest = memoryview(part)
        while len(rest):
            rest = rest[os.write(fd, rest) :]


def _describe(error: Exception) -> dict[str, Any]:
    """An exception in words. Speedwell's own keep their class, what, fix and kind."""
    facts: dict[str, Any] = {"classes": [c.__name__ for c in type(error).__mro__], "what": str(error)}
    errors = sys.modules.get("speedwell.core.errors")
    if errors is not None and isinstance(error, errors.SpeedwellError):
        facts |= {"own": True, "what": str(error.what), "fix": str(error.fix)}
        if isinstance(error, errors.JobError):
            facts["kind"] = str(error.kind)
    return facts


def _peak() -> int:
    """Largest resident size so far, bytes. On Linux not ru_maxrss: exec keeps the starting process's there."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return 0


def _cap_addresses(size: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard == resource.RLIM_INFINITY or size <= hard:
        resource.setrlimit(resource.RLIMIT_AS, (size, hard))


if __name__ == "__main__":
    main()
