import signal

import pytest

from speedwell.core import FailureKind
from speedwell.core.errors import (
    DataError,
    EngineUnavailableError,
    JobError,
    MissingExtraError,
    PreconditionError,
    UnsupportedModelError,
)
from speedwell.measure.failure import death, failure_of, job_error, raised_in_worker


@pytest.mark.parametrize(
    ("code", "words", "oom", "kind"),
    [
        (0, "", False, "silent exit"),
        (3, "", False, "silent exit"),
        (-signal.SIGSEGV, "", False, "crash"),
        (-signal.SIGABRT, "", False, "crash"),
        (-signal.SIGBUS, "", False, "crash"),
        (-signal.SIGILL, "", False, "crash"),
        (-signal.SIGFPE, "", False, "crash"),
        (-signal.SIGABRT, "what():  std::bad_alloc", False, "out of memory"),
        (-signal.SIGKILL, "", False, "killed"),
        (-signal.SIGTERM, "", False, "killed"),
        (-signal.SIGKILL, "", True, "out of memory"),
        (-signal.SIGTERM, "", True, "killed"),
        (-200, "", False, "killed"),
    ],
)
def test_each_way_to_die_has_its_kind(code, words, oom, kind):
    error = death(code, words, "in run", oom)
    assert error.kind == kind
    assert "in run" in error.what


def test_speedwells_errors_come_back_as_themselves():
    facts = {"classes": ["DataError", "SpeedwellError"], "own": True, "what": "w", "fix": "f"}
    error = raised_in_worker(facts, "tail")
    assert type(error) is DataError
    assert (error.what, error.fix, error.__notes__) == ("w", "f", ["tail"])


def test_a_foreign_error_that_borrows_a_name_does_not_become_ours():
    error = raised_in_worker({"classes": ["DataError", "Exception"], "what": "w"}, "")
    assert isinstance(error, JobError)
    assert error.kind == "error"


def test_an_unknown_kind_from_a_worker_is_not_believed():
    facts = {"classes": ["JobError"], "own": True, "what": "w", "fix": "", "kind": "nonsense"}
    error = raised_in_worker(facts, "")
    assert isinstance(error, JobError)
    assert error.kind == "error"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (job_error(FailureKind.TIMEOUT, "w"), FailureKind.TIMEOUT),
        (EngineUnavailableError("w"), FailureKind.UNAVAILABLE),
        (MissingExtraError("w"), FailureKind.UNAVAILABLE),
        (PreconditionError("w"), FailureKind.UNSUPPORTED),
        (UnsupportedModelError("w"), FailureKind.UNSUPPORTED),
        (DataError("w"), FailureKind.ERROR),
    ],
)
def test_an_error_becomes_a_record(error, kind):
    failure = failure_of(error, "compile")
    assert (failure.kind, failure.stage, failure.message) == (kind, "compile", "w")


def test_the_record_keeps_what_the_worker_printed():
    assert failure_of(job_error(FailureKind.CRASH, "w", "f", "last words"), "time").detail == "last words"
