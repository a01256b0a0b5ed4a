"""Every way in which a worker goes wrong, as one typed error and as one record."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any

from speedwell.core import errors
from speedwell.core.errors import (
    EngineUnavailableError,
    JobError,
    MissingExtraError,
    PreconditionError,
    SpeedwellError,
    UnsupportedModelError,
)
from speedwell.core.outcome import Failure, FailureKind

__all__ = ["death", "failure_of", "job_error", "raised_in_worker", "sounds_like_memory"]

_CRASHES = frozenset(
    getattr(signal, n) for n in ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE", "SIGTRAP", "SIGSYS")
)
_MEMORY_WORDS = (
    "std::bad_alloc", "bad allocation", "bad_array_new_length", "can't allocate memory", "cannot allocate memory",
    "failed to allocate memory", "not enough memory", "out of memory", "unable to allocate",
)  # fmt: skip


def job_error(kind: FailureKind, what: str, fix: str = "", detail: str = "") -> JobError:
    """A ``JobError`` of ``kind``; ``detail`` (what the worker printed last) becomes its first note."""
    error = JobError(what, fix, kind.value)
    if detail:
        error.add_note(detail)
    return error


def sounds_like_memory(text: str) -> bool:
    """True where a library's words mean that an allocation failed."""
    lowered = text.lower()
    return any(word in lowered for word in _MEMORY_WORDS)


def death(exit_code: int, detail: str, doing: str, oom_killed: bool) -> JobError:
    """The error for a worker that ended while it was ``doing`` something, without an answer.

    ``exit_code``: as ``subprocess`` gives it (minus the signal). ``oom_killed``: the kernel killed for memory.
    """
    if exit_code >= 0:
        what = f"the worker ended without an answer (exit code {exit_code}) while {doing}"
        return job_error(FailureKind.SILENT_EXIT, what, detail=detail)
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    what = f"the worker died by {name} while {doing}"
    last_words = "\n".join(detail.splitlines()[-40:])
    if -exit_code in _CRASHES:
        memory = sounds_like_memory(last_words)
        return job_error(FailureKind.OUT_OF_MEMORY if memory else FailureKind.CRASH, what, detail=detail)
    kind = FailureKind.OUT_OF_MEMORY if oom_killed and -exit_code == signal.SIGKILL else FailureKind.KILLED
    return job_error(kind, what, detail=detail)


def raised_in_worker(facts: Mapping[str, Any], detail: str) -> SpeedwellError:
    """The error for an exception that the worker reported. One of ``core.errors``, or a subclass of one, comes back
    as that class with its what and fix; all else is a ``JobError`` of kind "error" or "out of memory".
    """
    classes = [str(c) for c in facts.get("classes", [])]
    what, fix = str(facts.get("what", "")), str(facts.get("fix", ""))
    kind = str(facts.get("kind", ""))
    known = next((c for c in classes if c in errors.__all__ and c != "SpeedwellError"), None)
    error: SpeedwellError
    if facts.get("own") and known is not None:
        made = getattr(errors, known)
        valid = kind in {k.value for k in FailureKind}
        error = JobError(what, fix, kind if valid else "error") if known == "JobError" else made(what, fix)
    else:
        name = classes[0] if classes else "an error without a name"
        memory = "MemoryError" in classes or sounds_like_memory(what)
        found = FailureKind.OUT_OF_MEMORY if memory else FailureKind.ERROR
        error = JobError(f"{name}: {what}" if what else name, fix, found.value)
    if detail:
        error.add_note(detail)
    return error


def failure_of(error: SpeedwellError, stage: str) -> Failure:
    """The record of a failed trial. ``stage``: build, compile, check, evaluate or time."""
    if isinstance(error, JobError):
        kind = FailureKind(error.kind)
    elif isinstance(error, (EngineUnavailableError, MissingExtraError)):
        kind = FailureKind.UNAVAILABLE
    elif isinstance(error, (PreconditionError, UnsupportedModelError)):
        kind = FailureKind.UNSUPPORTED
    else:
        kind = FailureKind.ERROR
    notes: list[str] = getattr(error, "__notes__", [])
    message = f"{error.what} {error.fix}".strip() if error.fix else error.what
    return Failure(kind, stage, message, "\n".join(notes))
