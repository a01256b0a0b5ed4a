"""One function, run once in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .limits import Limits
from .remote import pickle_call, start_worker
from .reply import Reply

__all__ = ["run_job"]


def run_job(
    function: Callable[..., Any],
    arguments: Mapping[str, Any],
    limits: Limits,
    scratch: Path,
    environment: Mapping[str, str] | None = None,
) -> Reply:
    """``function(**arguments)`` in a fresh process that ends with the answer: a ``Reply``, a mapping of arrays, or
    plain JSON. Raises ``JobError`` (its ``kind`` is a ``FailureKind`` value) or the error of ``core.errors`` that the
    function raised.
    """
    body = pickle_call(function, arguments)
    with start_worker(function, limits, scratch, environment) as remote:
        reply = remote._exchange("job", body, "", limits.seconds)
        return Reply(reply.value, reply.arrays, reply.seconds, remote.peak_memory())
